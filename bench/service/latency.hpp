#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <vector>

#include <sys/resource.h>

namespace load {

/// Seconds of processor time that this process has taken.
inline double processor_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Durations in seconds: every one is kept, so quantiles are exact.
class Latencies {
  public:
    explicit Latencies(std::size_t expected) { seconds_.reserve(expected); }

    void add(double seconds) { seconds_.push_back(static_cast<float>(seconds)); }
    void add(const Latencies& other) { seconds_.insert(seconds_.end(), other.seconds_.begin(), other.seconds_.end()); }
    std::size_t count() const { return seconds_.size(); }

    /// JSON's {"mean": ..., "quantiles": [[q, seconds], ...]}; the last quantile, 1, is the longest.
    void print(std::FILE* out) {
        std::sort(seconds_.begin(), seconds_.end());
        const double sum = std::accumulate(seconds_.begin(), seconds_.end(), 0.0);
        std::fprintf(out, "{\"mean\": %.4g, \"quantiles\": [", seconds_.empty() ? 0.0 : sum / static_cast<double>(count()));
        const char* separator = "";
        for (const double q :
             {0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0}) {
            if (seconds_.empty()) break;
            std::fprintf(out, "%s[%g, %.4g]", separator, q, static_cast<double>(at(q)));
            separator = ", ";
        }
        std::fprintf(out, "]}");
    }

  private:
    /// The nearest rank: the least value that a part q of all does not exceed.
    float at(double q) const {
        const double rank = std::ceil(q * static_cast<double>(count()));
        return seconds_[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
    }

    std::vector<float> seconds_;
};

}  // namespace load
