#include "support.hpp"

#include <algorithm>
#include <fstream>

namespace hso::test {

namespace {

nlohmann::json load(const std::string& name) {
    const std::string path = std::string(HSO_TEST_DATA) + "/" + name;
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    return nlohmann::json::parse(file);
}

std::vector<Named> make_schedules() {
    Random random(1);
    std::vector<Named> all = {
        {"sd", sd_noise()},
        {"ddpm", golden_noise("ddpm_linear")},
        {"vp_linear", NoiseSchedule::vp_linear()},
        {"vp_linear constant beta", NoiseSchedule::vp_linear(5.0, 5.0)},
        {"vp_cosine", NoiseSchedule::vp_cosine()},
        {"flow", NoiseSchedule::flow()},
        {"flow shift 3", NoiseSchedule::flow(3.0)},
        {"edm", NoiseSchedule::edm()},
    };
    for (std::size_t n : {2, 3, 1000, 10000})
        all.push_back(
            {"random vp " + std::to_string(n), NoiseSchedule::from_alphas_cumprod(random_alphas_cumprod(random, n, 8.0))});
    auto zero_snr = random_alphas_cumprod(random, 100, 6.0);
    zero_snr.back() = 0.0;
    all.push_back({"zero terminal SNR", NoiseSchedule::from_alphas_cumprod(zero_snr)});

    for (std::size_t n : {2, 3, 1000, 10000}) {
        const auto t = random_increasing(random, n, 0.001, 1.0);
        const auto s = random_increasing(random, n, 0.004, 0.99);
        std::vector<double> alpha(n), sigma(n);
        const auto add = [&](const std::string& kind, auto alpha_of, auto sigma_of) {
            std::transform(s.begin(), s.end(), alpha.begin(), alpha_of);
            std::transform(s.begin(), s.end(), sigma.begin(), sigma_of);
            all.push_back({kind + " table " + std::to_string(n), NoiseSchedule::from_table(t, alpha, sigma)});
        };
        add(
            "vp", [](double x) { return std::sqrt((1.0 - x) * (1.0 + x)); }, [](double x) { return x; });
        add(
            "flow", [](double x) { return 1.0 - x; }, [](double x) { return x; });
        add(
            "ve", [](double) { return 1.0; }, [](double x) { return 30.0 * x * x; });
        add(
            "general", [](double x) { return 1.0 - 0.7 * x; }, [](double x) { return 2.0 * x + x * x; });
    }
    return all;
}

}  // namespace

const nlohmann::json& golden() {
    static const nlohmann::json data = load("golden.json");
    return data;
}

const nlohmann::json& oracle() {
    static const nlohmann::json data = load("oracle.json");
    return data;
}

std::vector<double> golden_betas(std::string_view table) {
    constexpr std::size_t n = 1000;
    const bool scaled = table == "sd_scaled_linear", ddpm = table == "ddpm_linear";
    const double first = ddpm ? 1e-4 : scaled ? std::sqrt(0.00085) : 0.00085;
    const double last = ddpm ? 0.02 : scaled ? std::sqrt(0.012) : 0.012;
    std::vector<double> betas(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double x = first + (last - first) * static_cast<double>(i) / static_cast<double>(n - 1);
        betas[i] = scaled ? x * x : x;
    }
    return betas;
}

NoiseSchedule golden_noise(std::string_view table) { return NoiseSchedule::from_betas(golden_betas(table)); }

const std::vector<Named>& every_schedule() {
    static const std::vector<Named> schedules = make_schedules();
    return schedules;
}

std::vector<double> random_alphas_cumprod(Random& random, std::size_t n, double depth) {
    std::vector<double> values(n);
    double log_value = 0.0;
    for (double& value : values) {
        log_value -= depth / static_cast<double>(n) * random.uniform(0.1, 1.9);
        value = std::exp(log_value);
    }
    return values;
}

std::vector<double> random_increasing(Random& random, std::size_t n, double low, double high) {
    std::vector<double> values(n, low);
    for (std::size_t i = 1; i < n; ++i) values[i] = values[i - 1] + random.uniform(0.1, 1.9);
    const double scale = n > 1 ? (high - low) / (values.back() - low) : 0.0;
    for (double& value : values) value = low + (value - low) * scale;
    values.back() = n > 1 ? high : low;
    return values;
}

double relative_error(std::span<const double> value, std::span<const double> expected) {
    if (value.size() != expected.size()) return HUGE_VAL;
    double error = 0.0, scale = 0.0;
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (std::isnan(value[i])) return HUGE_VAL;
        error = std::max(error, std::abs(value[i] - expected[i]));
        scale = std::max(scale, std::abs(expected[i]));
    }
    return scale > 0.0 ? error / scale : error;
}

}  // namespace hso::test
