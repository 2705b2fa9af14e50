#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <hso/stop.hpp>

namespace hso::detail {

/// Ends a worker's task after the caller has stopped the work; ThreadTeam keeps it to itself.
struct WorkerStopped {};

/// Where long work asks whether to go on. It counts what is done, in nanoseconds or so; now and then that costs a look at the
/// clock, and every few milliseconds the caller is asked. So inner loops may pass it. One for each thread.
class Checkpoint {
  public:
    /// How much work is done between two looks at the clock, and what time passes from an answer to the next question.
    struct Pace {
        std::int64_t work = 100'000;
        std::chrono::nanoseconds interval = std::chrono::milliseconds(8);
    };

    Checkpoint() = default;  ///< asks nobody

    /// The caller's: asks at once, as the work begins. `should_stop` must outlive it, as `stopped` below.
    explicit Checkpoint(const ShouldStop& should_stop) : Checkpoint(should_stop, Pace()) {}
    Checkpoint(const ShouldStop& should_stop, const Pace& pace);

    /// A worker's: throws WorkerStopped once `stopped` is true.
    explicit Checkpoint(const std::atomic<bool>& stopped) : stopped_(&stopped), left_(pace_.work) {}

    /// After so much work, about, since the last time.
    void pass(std::size_t work) {
        left_ -= static_cast<std::int64_t>(work);
        if (left_ < 0) look();
    }

    /// Whether there is anyone to ask.
    bool asks() const { return should_stop_ != nullptr; }
    /// Asks now. For a thread that waits for others' work.
    void ask();
    /// Whether it was this that ended the work.
    bool has_ended() const { return has_ended_; }

  private:
    void look();

    const ShouldStop* should_stop_ = nullptr;
    const std::atomic<bool>* stopped_ = nullptr;
    Pace pace_ = {};
    std::int64_t left_ = std::numeric_limits<std::int64_t>::max();  ///< work to do before the next look
    std::chrono::steady_clock::time_point asked_ = {};
    bool has_ended_ = false;
};

}  // namespace hso::detail
