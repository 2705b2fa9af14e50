#pragma once

/// @file
/// What a shared library shows: the public names alone.

/// @def HSO_EXPORT
/// Marks a public name. The CMake target and hso.pc define HSO_STATIC_DEFINE where the library is static.
#if defined(HSO_STATIC_DEFINE)
#define HSO_EXPORT
#elif defined(_WIN32) && defined(hso_EXPORTS)
#define HSO_EXPORT __declspec(dllexport)
#elif defined(_WIN32)
#define HSO_EXPORT __declspec(dllimport)
#else
#define HSO_EXPORT __attribute__((visibility("default")))
#endif
