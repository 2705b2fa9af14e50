#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include <hso/stop.hpp>

#include "numpy.hpp"

namespace hso::bindings {

/// What the core asks while it works without the GIL: whether Python has a signal to handle, whose handler may raise
/// (KeyboardInterrupt, for one), which ends the work and goes to the caller. Python handles signals in its main thread alone: in
/// others this is empty, and the GIL is left to those who need it. To be called with the GIL, by the thread that works.
ShouldStop signals();

/// Calls part(first, count) for one part of `size` elements after the other, without the GIL where there is more than one, and
/// looks for signals in between.
template <class Part>
void in_parts(std::size_t size, Part part) {
    constexpr std::size_t most = 10'000;  // a millisecond or so
    if (size <= most) return part(std::size_t{0}, size);
    const ShouldStop should_stop = signals();
    const py::gil_scoped_release release;
    auto asked = std::chrono::steady_clock::now();
    for (std::size_t first = 0; first < size; first += most) {
        part(first, std::min(most, size - first));
        if (!should_stop || std::chrono::steady_clock::now() - asked < std::chrono::milliseconds(10)) continue;
        should_stop();
        asked = std::chrono::steady_clock::now();
    }
}

}  // namespace hso::bindings
