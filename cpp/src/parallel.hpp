#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

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
    void run(std::size_t count, FunctionRef<void(std::size_t, std::size_t)> task);

  private:
    void stop();
    void serve(std::size_t worker);
    void work(std::size_t worker, std::unique_lock<std::mutex>& lock);

    std::mutex mutex_;
    std::condition_variable started_, finished_;
    const FunctionRef<void(std::size_t, std::size_t)>* task_ = nullptr;
    std::size_t count_ = 0, next_ = 0, running_ = 0;
    std::exception_ptr error_;
    std::size_t error_index_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> workers_;
};

}  // namespace hso::detail
