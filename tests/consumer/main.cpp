#include <cstdio>

#include <hso/hso.hpp>

int main() {
    const auto noise = hso::NoiseSchedule::flow(3.0);
    const hso::Schedule schedule = hso::optimize(noise, 4);
    std::printf("hso %s:", HSO_VERSION);
    for (double t : schedule.t) std::printf(" %.6f", t);
    std::printf("\n");
    return schedule.t.size() == 5 && schedule.t.back() == 0.0 ? 0 : 1;
}
