#include <cstdio>
#include <cstring>

#include <hso/try.hpp>

int main() {
    hso::Error error;
    const auto noise = hso::try_flow(3.0, error);
    hso::Workspace workspace;
    hso::Schedule schedule;
    if (!noise || !hso::try_optimize(*noise, 4, {}, workspace, schedule, error)) {
        std::fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    for (double t : schedule.t) std::printf("%.6f ", t);
    std::printf("\n");
    if (hso::try_flow(-1.0, error) || error.code != hso::ErrorCode::invalid_argument) return 1;
    if (hso::try_optimize(*noise, 0, {}, workspace, schedule, error)) return 1;
    return std::strncmp(error.message, "nfe must be", 11) == 0 ? 0 : 1;
}
