#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "checkpoint.hpp"
#include "function_ref.hpp"

namespace hso::detail {

/// A few threads that share loops. The caller works too, so a team of one starts no thread at all.
class ThreadTeam {
  public:
    /// `threads` >= 1, or 0 for one per processor.
    explicit ThreadTeam(int threads);
    ~ThreadTeam();
    ThreadTeam(const ThreadTeam&) = delete;
    ThreadTeam& operator=(const ThreadTeam&) = delete;

    std::size_t size() const { return workers_.size() + 1; }

    /// Calls task(worker, i) for every i < count, each exactly once; worker < size() names the thread's workspace.
    /// Returns when all have ended; of the exceptions thrown, the one of the lowest i is thrown again here.
    ///
    /// `checkpoint`, the caller's, is passed in its tasks, and while it waits for the others. What ends the work there is
    /// thrown again here, as soon as the others have ended, too: see stopped().
    void run(std::size_t count, FunctionRef<void(std::size_t, std::size_t)> task, Checkpoint& checkpoint);

    /// True once the caller's checkpoint has ended the work: the workers' checkpoints end their tasks by it.
    const std::atomic<bool>& stopped() const { return stopped_; }

  private:
    void stop();
    void serve(std::size_t worker);
    /// `callers`: its checkpoint, in the calling thread; null in the others.
    void work(std::size_t worker, std::unique_lock<std::mutex>& lock, const Checkpoint* callers);
    void wait(std::unique_lock<std::mutex>& lock, Checkpoint& checkpoint);
    void end(std::exception_ptr error);

    std::mutex mutex_;
    std::condition_variable started_, finished_;
    const FunctionRef<void(std::size_t, std::size_t)>* task_ = nullptr;
    std::size_t count_ = 0, next_ = 0, running_ = 0;
    std::exception_ptr error_;
    std::size_t error_index_ = 0;
    bool stopping_ = false;
    std::atomic<bool> stopped_ = false;
    std::vector<std::thread> workers_;
};

}  // namespace hso::detail
