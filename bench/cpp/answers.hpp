#pragma once

#include <cmath>

#include <benchmark/benchmark.h>

namespace bench {

/// How many benchmarks of this process had a wrong answer: main() fails for any.
int& wrong_answers();

/// Whether the answer is right; if not, the benchmark is not timed. Every benchmark asks before its loop.
inline bool right(benchmark::State& state, bool good) {
    if (good) return true;
    ++wrong_answers();
    state.SkipWithError("wrong answer");
    return false;
}

inline bool close(double value, long double expected, double tolerance) {
    return std::abs(static_cast<long double>(value) - expected) <= static_cast<long double>(tolerance) * std::abs(expected);
}

inline bool right(benchmark::State& state, double value, long double expected, double tolerance) {
    return right(state, close(value, expected, tolerance));
}

}  // namespace bench
