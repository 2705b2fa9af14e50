#include "checkpoint.hpp"

namespace hso {

Stopped::Stopped() : std::runtime_error("stopped by the caller") {}
Stopped::~Stopped() = default;

namespace detail {

Checkpoint::Checkpoint(const ShouldStop& should_stop, const Pace& pace) : pace_(pace) {
    if (!should_stop) return;
    should_stop_ = &should_stop;
    left_ = pace_.work;
    ask();
}

void Checkpoint::ask() {
    has_ended_ = true;  // unless there is an answer, and it is no
    if ((*should_stop_)()) throw Stopped();
    has_ended_ = false;
    asked_ = std::chrono::steady_clock::now();
}

void Checkpoint::look() {
    if (should_stop_) {
        left_ = pace_.work;
        if (std::chrono::steady_clock::now() - asked_ >= pace_.interval) ask();
    } else if (stopped_) {
        left_ = pace_.work;
        if (stopped_->load(std::memory_order_relaxed)) throw WorkerStopped();
    } else {
        left_ = std::numeric_limits<std::int64_t>::max();
    }
}

}  // namespace detail

}  // namespace hso
