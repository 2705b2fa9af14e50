// A server that optimizes a schedule in every request: flow models shift their noise with the image's resolution.
#include <cmath>
#include <cstdio>
#include <utility>

#include <hso/hso.hpp>

/// FLUX.1's shift: its logarithm is linear in the number of 16 x 16 patches, 0.5 at 256 and 1.15 at 4096.
static double shift_for(int width, int height) {
    const double patches = (width / 16) * (height / 16);
    return std::exp(0.5 + (1.15 - 0.5) * (patches - 256) / (4096 - 256));
}

int main() {
    for (const auto& [width, height] : {std::pair{512, 512}, {1024, 1024}, {1536, 1024}}) {
        const auto noise = hso::NoiseSchedule::flow(shift_for(width, height));
        const hso::Schedule schedule = hso::optimize(noise, 6);
        std::printf("%d x %d, shift %.2f: sigmas", width, height, noise.shift());
        for (double sigma : schedule.sigmas) std::printf(" %.4f", sigma);
        std::printf(" (%.0f us)\n", 1e6 * schedule.elapsed);
    }
}
