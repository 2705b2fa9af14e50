#include <cstddef>
#include <cstdint>
#include <optional>

#include "check_noise.hpp"
#include "noises.hpp"

/// Numbers of any kind make a noise schedule whose maps keep their promises, or are refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hso::fuzz::Source source(std::span(data, size));
    std::optional<hso::NoiseSchedule> noise;
    if (hso::fuzz::accepted([&] { noise = hso::fuzz::wild_noise(source); })) hso::fuzz::check_noise(*noise, source);
    return 0;
}
