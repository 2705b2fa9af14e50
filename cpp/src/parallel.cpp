#include "parallel.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace hso::detail {

namespace {

constexpr std::size_t kTaskWork = 50;  ///< nanoseconds or so for a task that does next to nothing
constexpr std::chrono::milliseconds kLookEvery(8);

}  // namespace

ThreadTeam::ThreadTeam(int threads) {
    const auto wanted =
        threads > 0 ? static_cast<std::size_t>(threads) : std::max<std::size_t>(1, std::thread::hardware_concurrency());
    workers_.reserve(wanted - 1);
    try {
        for (std::size_t worker = 1; worker < wanted; ++worker) workers_.emplace_back([this, worker] { serve(worker); });
    } catch (...) {  // the system has no more threads: a running one must not be destroyed
        stop();
        throw;
    }
}

ThreadTeam::~ThreadTeam() { stop(); }

void ThreadTeam::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    started_.notify_all();
    for (auto& worker : workers_) worker.join();
}

void ThreadTeam::run(std::size_t count, FunctionRef<void(std::size_t, std::size_t)> task, Checkpoint& checkpoint) {
    if (workers_.empty()) {
        for (std::size_t i = 0; i < count; ++i) {
            checkpoint.pass(kTaskWork);
            task(0, i);
        }
        return;
    }
    std::unique_lock lock(mutex_);
    task_ = &task;
    count_ = count;
    next_ = 0;
    error_ = nullptr;
    stopped_ = false;
    started_.notify_all();
    work(0, lock, &checkpoint);
    wait(lock, checkpoint);
    task_ = nullptr;
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

/// Ends the work for this reason, whatever else went wrong. The lock is held.
void ThreadTeam::end(std::exception_ptr error) {
    stopped_ = true;
    next_ = count_;  // nothing more is begun
    error_ = std::move(error);
    error_index_ = 0;
}

/// For the others, who may work on for long.
void ThreadTeam::wait(std::unique_lock<std::mutex>& lock, Checkpoint& checkpoint) {
    const auto done = [this] { return running_ == 0 && next_ >= count_; };
    while (checkpoint.asks() && !stopped_ && !finished_.wait_for(lock, kLookEvery, done)) {
        lock.unlock();
        std::exception_ptr error;
        try {
            checkpoint.ask();
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        if (error) end(std::move(error));
    }
    finished_.wait(lock, done);
}

void ThreadTeam::serve(std::size_t worker) {
    std::unique_lock lock(mutex_);
    for (;;) {
        started_.wait(lock, [this] { return stopping_ || (task_ != nullptr && next_ < count_); });
        if (stopping_) return;
        work(worker, lock, nullptr);
        finished_.notify_one();
    }
}

// Takes one index at a time under the lock: a task is a whole local optimization, so the lock is no bottleneck.
void ThreadTeam::work(std::size_t worker, std::unique_lock<std::mutex>& lock, const Checkpoint* callers) {
    ++running_;
    while (next_ < count_) {
        const std::size_t i = next_++;
        const auto& task = *task_;
        lock.unlock();
        std::exception_ptr error;
        try {
            task(worker, i);
        } catch (const WorkerStopped&) {  // the caller knows why
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        if (callers && callers->has_ended()) {
            end(std::move(error));
        } else if (error && !stopped_ && (!error_ || i < error_index_)) {
            error_ = error;
            error_index_ = i;
        }
    }
    --running_;
}

}  // namespace hso::detail
