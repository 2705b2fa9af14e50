#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace hso::detail {

/// Room for numbers that are written before they are read: unlike a vector it fills in no zeros. It only grows.
class Scratch {
  public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    /// `count` numbers of any value.
    std::span<double> take(std::size_t count) {
        if (count > capacity_) {
            capacity_ = 0;
            numbers_.reset();
            numbers_.reset(new double[count]);
            capacity_ = count;
        }
        return {numbers_.get(), count};
    }

  private:
    std::unique_ptr<double[]> numbers_;
    std::size_t capacity_ = 0;
};

}  // namespace hso::detail
