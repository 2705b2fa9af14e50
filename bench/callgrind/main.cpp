// Runs each case once to warm up and to check its answer, then as often as it says with Callgrind counting. Under
// `valgrind --tool=callgrind --instr-atstart=no` every case leaves a dump with its name; otherwise it only checks.
// Prints one JSON object: what the counts depend on, and how often each case was counted.
#include <cmath>
#include <cstdio>
#include <exception>
#include <string>

#include <gnu/libc-version.h>
#include <valgrind/callgrind.h>

#include "cases.hpp"

namespace {

/// The widest vectors that this process may use: the library and the C library choose their functions by it.
const char* dispatch() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return "avx512f";
    if (__builtin_cpu_supports("avx2")) return "avx2";
#endif
    return "default";
}

int run() {
    std::string calls;
    for (const bench::Case& c : bench::all_cases()) {
        const double value = c.call();
        if (!(std::abs(value - c.expected) <= c.tolerance * std::abs(c.expected))) {
            std::fprintf(stderr, "%s: wrong answer, %.17g instead of %.17g\n", c.name.c_str(), value, c.expected);
            return 1;
        }
        CALLGRIND_START_INSTRUMENTATION;
        for (int i = 0; i < c.repetitions; ++i) c.call();
        CALLGRIND_DUMP_STATS_AT(c.name.c_str());
        CALLGRIND_STOP_INSTRUMENTATION;
        calls += (calls.empty() ? "\"" : ", \"") + c.name + "\": " + std::to_string(c.repetitions);
    }
    std::printf(
        "{\"build\": {\"compiler\": \"%s\", \"flags\": \"%s\", \"glibc\": \"%s\", \"nlopt\": \"%s\", \"dispatch\": \"%s\"},\n"
        " \"calls\": {%s}}\n",
        HSO_CALLGRIND_COMPILER, HSO_CALLGRIND_FLAGS, gnu_get_libc_version(), HSO_CALLGRIND_NLOPT, dispatch(), calls.c_str());
    return 0;
}

}  // namespace

int main() {
    try {
        return run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
