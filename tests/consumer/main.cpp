#include <cstdio>

#include <hso/hso.hpp>

static_assert(HSO_VERSION_MAJOR == 0 && HSO_VERSION_MINOR >= 1);

int main() {
    const auto noise = hso::NoiseSchedule::flow(3.0);
    const hso::Schedule schedule = hso::optimize(noise, 4);
    std::printf("hso %s, %s NLopt:", HSO_VERSION, hso::has_nlopt() ? "with" : "without");
    for (double t : schedule.t) std::printf(" %.6f", t);
    std::printf("\n");
    return schedule.t.size() == 5 && schedule.t.back() == 0.0 && hso::version() == HSO_VERSION ? 0 : 1;
}
