#pragma once

#include <cstdint>
#include <random>

namespace load {

/// What a client asks for: an image's size, in pixels, and the network calls that it may cost.
struct Request {
    int width, height, nfe;
};

/// Requests as a server may get them: sides in multiples of 16 from 256 to 2048, nfe 4 to 12, all equally likely, so that hardly
/// any two are the same. A seed gives the same requests everywhere.
class Requests {
  public:
    explicit Requests(std::uint64_t seed) : random_(seed) {}

    Request next() {
        const auto below = [this](std::uint64_t n) { return static_cast<int>(random_() % n); };
        const int width = 16 * (16 + below(113)), height = 16 * (16 + below(113));
        return {width, height, 4 + below(9)};
    }

  private:
    std::mt19937_64 random_;
};

}  // namespace load
