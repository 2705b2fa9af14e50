#include <cstdio>

#include <hso/hso.hpp>

int main() {
    // Flow models shift their noise schedule with the image's resolution: optimize inside the request.
    const auto noise = hso::NoiseSchedule::flow(3.0);
    hso::Options options;
    options.terminal = hso::Terminal::zero;
    const hso::Schedule schedule = hso::optimize(noise, 6, options);
    for (double sigma : schedule.sigmas) std::printf("%.4f ", sigma);
    std::printf("\nfitness %.6f, least spacing %.4f\n", schedule.fitness, schedule.min_spacing);
}
