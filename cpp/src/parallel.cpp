#include "parallel.hpp"

#include <algorithm>
#include <utility>

namespace hso::detail {

ThreadTeam::ThreadTeam(int threads) {
    const auto wanted = threads > 0 ? static_cast<std::size_t>(threads)
                                    : std::max<std::size_t>(1, std::thread::hardware_concurrency());
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

void ThreadTeam::run(std::size_t count, FunctionRef<void(std::size_t, std::size_t)> task) {
    if (workers_.empty()) {
        for (std::size_t i = 0; i < count; ++i) task(0, i);
        return;
    }
    std::unique_lock lock(mutex_);
    task_ = &task;
    count_ = count;
    next_ = 0;
    error_ = nullptr;
    started_.notify_all();
    work(0, lock);
    finished_.wait(lock, [this] { return running_ == 0 && next_ >= count_; });
    task_ = nullptr;
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadTeam::serve(std::size_t worker) {
    std::unique_lock lock(mutex_);
    for (;;) {
        started_.wait(lock, [this] { return stopping_ || (task_ != nullptr && next_ < count_); });
        if (stopping_) return;
        work(worker, lock);
        finished_.notify_one();
    }
}

// Takes one index at a time under the lock: a task is a whole local optimization, so the lock is no bottleneck.
void ThreadTeam::work(std::size_t worker, std::unique_lock<std::mutex>& lock) {
    ++running_;
    while (next_ < count_) {
        const std::size_t i = next_++;
        const auto& task = *task_;
        lock.unlock();
        std::exception_ptr error;
        try {
            task(worker, i);
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        if (error && (!error_ || i < error_index_)) {
            error_ = error;
            error_index_ = i;
        }
    }
    --running_;
}

}  // namespace hso::detail
