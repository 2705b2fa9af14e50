#pragma once

#include <stdexcept>

namespace hso::fuzz {

/// A promise of the library that it did not keep. Nothing catches it in a fuzz target, so it ends the run as a crash.
struct Broken : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Throws Broken unless `holds`.
inline void require(bool holds, const char* what) {
    if (!holds) throw Broken(what);
}

/// Runs `call`; whether it was done rather than refused with a std::invalid_argument that says something.
template <class Call>
bool accepted(Call call) {
    try {
        call();
        return true;
    } catch (const std::invalid_argument& error) {
        require(*error.what() != '\0', "a refusal without a message");
        return false;
    }
}

}  // namespace hso::fuzz
