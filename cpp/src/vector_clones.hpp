#pragma once

// HSO_VECTOR_CLONES: one copy of a function for each vector width, chosen as the program is loaded; but not under a
// sanitizer, whose run time is not up yet when the choice is made.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define HSO_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HSO_SANITIZER
#endif
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && !defined(HSO_SANITIZER) && \
    (defined(__clang__) ? __clang_major__ >= 14 : __GNUC__ >= 11)
#define HSO_VECTOR_CLONES [[gnu::target_clones("default", "avx2", "avx512f")]]
#else
#define HSO_VECTOR_CLONES
#endif
