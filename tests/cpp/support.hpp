#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <hso/noise_schedule.hpp>

namespace hso::test {

/// Reference numbers that other programs computed (tests/python/data).
const nlohmann::json& golden();
const nlohmann::json& oracle();

constexpr std::string_view kGoldenTables[] = {"sd_scaled_linear", "hso_code_linear", "ddpm_linear"};

/// The betas of a golden table.
std::vector<double> golden_betas(std::string_view table);
NoiseSchedule golden_noise(std::string_view table);
inline NoiseSchedule sd_noise() { return golden_noise("sd_scaled_linear"); }

struct Named {
    std::string name;
    NoiseSchedule noise;
};

/// A schedule of every family and kind, among them random tables of 2, 3, 1000 and 10,000 entries.
const std::vector<Named>& every_schedule();

/// Random numbers that are the same with every standard library.
class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    double uniform(double low = 0.0, double high = 1.0) {
        return low + (high - low) * (static_cast<double>(engine_() >> 11) * 0x1.0p-53);
    }
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }

  private:
    std::mt19937_64 engine_;
};

/// alphas_cumprod of `n` entries with random betas, from near 1 down to about exp(-depth).
std::vector<double> random_alphas_cumprod(Random& random, std::size_t n, double depth);

/// `n` strictly increasing values in [low, high], at least a tenth of the mean interval apart.
std::vector<double> random_increasing(Random& random, std::size_t n, double low, double high);

inline double relative_error(double value, long double expected) {
    const long double scale = std::abs(expected);
    const long double error = std::abs(static_cast<long double>(value) - expected);
    return static_cast<double>(scale > 0.0L ? error / scale : error);
}

/// The largest |value - expected|, as a share of the largest |expected|.
double relative_error(std::span<const double> value, std::span<const double> expected);

/// The message of the std::invalid_argument that `call` throws; empty if it throws none.
template <class Call>
std::string invalid_message(Call call) {
    try {
        call();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

/// Whether `call` throws std::invalid_argument with a message that begins with `argument`.
template <class Call>
bool refuses(std::string_view argument, Call call) {
    return invalid_message(call).starts_with(argument);
}

}  // namespace hso::test
