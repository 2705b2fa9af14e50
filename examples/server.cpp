// A server that finds a schedule for every request: one thread reads, a bounded queue, worker threads that search.
//
//     hso_server [PORT [THREADS]]        listens on 127.0.0.1; port 0 (the default) is one that is free; 2 threads
//
// A request is a line, `ID WIDTH HEIGHT NFE`; its answer is a line of JSON with that ID. A connection may send many requests
// at once; answers come as they are ready. A flow model shifts its noise schedule with the image's size, so the schedule is a
// function of the request. Bad requests are answered with what is wrong, and so are requests that find the queue full.
// SIGTERM and SIGINT end it: what was read is answered. For POSIX systems. Build it: docs/serving.md.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <hso/hso.hpp>

namespace {

constexpr std::int64_t kFewestCalls = 4, kMostCalls = 12;  // a search's time grows with nfe: bound it by what you serve
constexpr std::int64_t kSmallestSide = 64, kLargestSide = 8192;
constexpr std::size_t kLongestLine = 128, kMostWaiting = 1024, kMostConnections = 256;

// ---- a request and its answer: all that concerns hso ----

/// Takes the next word of `line`, an integer within limits; throws std::invalid_argument with its name, value and limits.
std::int64_t take(const char* name, std::string_view& line, std::int64_t least, std::int64_t most) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::string_view word = line.substr(0, line.find(' '));
    line.remove_prefix(word.size());
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || value < least || value > most)
        throw std::invalid_argument(std::string(name) + " must be an integer from " + std::to_string(least) + " to " +
                                    std::to_string(most) + ", got '" + std::string(word) + "'");
    return value;
}

std::int64_t take_id(std::string_view& line) { return take("ID", line, 0, std::numeric_limits<std::int64_t>::max()); }

/// FLUX.1's: the logarithm of the shift is linear in the number of 16 x 16 patches, 0.5 at 256 and 1.15 at 4096.
double shift_for(std::int64_t width, std::int64_t height) {
    constexpr double slope = (1.15 - 0.5) / (4096.0 - 256.0);
    const double patches = static_cast<double>((width / 16) * (height / 16));
    return std::exp(0.5 + slope * (patches - 256.0));
}

/// Shortest digits that are read back to the bit.
void append(std::string& out, double value) {
    char digits[32];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void append(std::string& out, const char* name, const std::vector<double>& values) {
    out.append(", \"").append(name).append("\": [");
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i != 0) out.append(", ");
        append(out, values[i]);
    }
    out.append("]");
}

/// The answer to a request that failed; its ID is null where it cannot be read.
void answer_error(std::string_view line, std::string_view message, std::string& out) {
    out.assign("{\"id\": ");
    try {
        out.append(std::to_string(take_id(line)));
    } catch (const std::invalid_argument&) {
        out.append("null");
    }
    out.append(", \"error\": \"");
    for (const char c : message) out += c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c;  // a message may quote the request
    out.append("\"}\n");
}

/// One request. Whatever goes wrong is its answer: the next one is served.
void answer(const std::string& request, hso::Workspace& workspace, hso::Schedule& schedule, std::string& out) {
    try {
        std::string_view line = request;
        const std::int64_t id = take_id(line);
        const std::int64_t width = take("WIDTH", line, kSmallestSide, kLargestSide);
        const std::int64_t height = take("HEIGHT", line, kSmallestSide, kLargestSide);
        const std::int64_t nfe = take("NFE", line, kFewestCalls, kMostCalls);
        if (line.find_first_not_of(' ') != line.npos) throw std::invalid_argument("a request is ID WIDTH HEIGHT NFE");

        const double shift = shift_for(width, height);
        hso::optimize(hso::NoiseSchedule::flow(shift), static_cast<int>(nfe), {}, workspace, schedule);
        out.assign("{\"id\": ").append(std::to_string(id)).append(", \"shift\": ");
        append(out, shift);
        append(out, "sigmas", schedule.sigmas);
        append(out, "timesteps", schedule.timesteps);
        out.append(", \"status\": \"").append(hso::to_string(schedule.status)).append("\"}\n");
    } catch (const std::exception& error) {
        answer_error(request, error.what(), out);
    }
}

// ---- connections ----

/// A socket that one thread reads and many answer. It is closed when the last request that came in by it is answered.
class Connection {
  public:
    explicit Connection(int socket) : socket_(socket) {
        const int on = 1;
        ::fcntl(socket, F_SETFL, O_NONBLOCK);
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // an answer does not wait for the one before
    }
    ~Connection() { ::close(socket_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    int socket() const { return socket_; }

    /// Takes what has arrived; false when the other side is done.
    bool receive() {
        char bytes[4096];
        const ssize_t size = ::recv(socket_, bytes, sizeof bytes, 0);
        if (size > 0) received_.append(bytes, static_cast<std::size_t>(size));
        return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
    }

    /// The next whole line; nothing while it is incomplete.
    std::optional<std::string> line() {
        const std::size_t end = received_.find('\n', scanned_);
        if (end == std::string::npos) {
            received_.erase(0, std::exchange(scanned_, 0));
            return {};
        }
        const std::size_t begin = std::exchange(scanned_, end + 1);
        return received_.substr(begin, end - begin - (end > begin && received_[end - 1] == '\r' ? 1 : 0));
    }

    /// Bytes of the line that is incomplete.
    std::size_t pending() const { return received_.size(); }

    /// All of an answer, or the end of the connection: who sends requests and reads no answers must not hold up a worker.
    void send(std::string_view bytes) {
        const std::lock_guard lock(sending_);
        ssize_t sent = -1;
        do sent = ::send(socket_, bytes.data(), bytes.size(), 0);
        while (sent < 0 && errno == EINTR);
        if (sent != static_cast<ssize_t>(bytes.size())) ::shutdown(socket_, SHUT_RDWR);
    }

  private:
    int socket_;
    std::string received_;     // not yet taken
    std::size_t scanned_ = 0;  // bytes of it that line() has returned
    std::mutex sending_;
};

// ---- the queue and who empties it ----

struct Job {
    std::shared_ptr<Connection> connection;
    std::string request;
};

/// Requests in the order in which they came, at most kMostWaiting.
class Queue {
  public:
    /// False when it is full: to refuse at once is better than to answer when nobody waits any more.
    bool push(Job job) {
        {
            const std::lock_guard lock(mutex_);
            if (jobs_.size() >= kMostWaiting) return false;
            jobs_.push_back(std::move(job));
        }
        changed_.notify_one();
        return true;
    }

    /// Waits for a request; nothing once the queue is closed and empty.
    std::optional<Job> pop() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
        if (jobs_.empty()) return {};
        std::optional<Job> job(std::move(jobs_.front()));
        jobs_.pop_front();
        return job;
    }

    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        changed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool closed_ = false;
};

void work(Queue& queue) {
    hso::Workspace workspace;  // one per thread; it, the schedule and the text keep their memory from request to request
    hso::Schedule schedule;
    std::string text;
    while (const std::optional<Job> job = queue.pop()) {
        answer(job->request, workspace, schedule, text);
        job->connection->send(text);
    }
}

// ---- the thread that reads ----

/// Queues what a connection has to ask; false when it is done with.
bool read_requests(const std::shared_ptr<Connection>& connection, Queue& queue) {
    const bool open = connection->receive();
    std::string text;
    while (std::optional<std::string> line = connection->line()) {
        if (line->size() <= kLongestLine && queue.push({connection, *line})) continue;
        answer_error(*line, line->size() > kLongestLine ? "the line is too long" : "too many requests are waiting", text);
        connection->send(text);
    }
    if (connection->pending() <= kLongestLine) return open;
    answer_error("", "the line is too long", text);
    connection->send(text);
    return false;
}

/// Reads until something arrives at `stop`.
void serve(int listener, int stop, Queue& queue) {
    std::vector<std::shared_ptr<Connection>> connections;
    std::vector<pollfd> watched;
    for (;;) {
        const bool room = connections.size() < kMostConnections;  // where there is none, others wait to be accepted
        watched.assign({{stop, POLLIN, 0}, {listener, static_cast<short>(room ? POLLIN : 0), 0}});
        for (const auto& connection : connections) watched.push_back({connection->socket(), POLLIN, 0});
        if (::poll(watched.data(), static_cast<nfds_t>(watched.size()), -1) < 0) {
            if (errno == EINTR) continue;
            throw std::system_error(errno, std::generic_category(), "poll");
        }
        if (watched[0].revents != 0) return;
        for (std::size_t i = 0; i < connections.size(); ++i)
            if (watched[i + 2].revents != 0 && !read_requests(connections[i], queue)) connections[i].reset();
        std::erase(connections, nullptr);
        if (watched[1].revents == 0) continue;
        const int socket = ::accept(listener, nullptr, nullptr);
        if (socket >= 0) connections.push_back(std::make_shared<Connection>(socket));  // else it has gone again
    }
}

int listen_on(std::uint16_t port) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0), on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    const bool listens = listener >= 0 && ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                         ::bind(listener, generic, size) == 0 && ::listen(listener, 128) == 0 &&
                         ::fcntl(listener, F_SETFL, O_NONBLOCK) == 0 && ::getsockname(listener, generic, &size) == 0;
    if (!listens) throw std::system_error(errno, std::generic_category(), "cannot listen on port " + std::to_string(port));
    std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    return listener;
}

int stop_pipe[2];  // what a signal handler may do: write to it

extern "C" void on_signal(int) {
    const int before = errno;
    [[maybe_unused]] const auto written = ::write(stop_pipe[1], "", 1);
    errno = before;
}

}  // namespace

int main(int count, char** words) {
    Queue queue;
    std::vector<std::thread> workers;
    int status = 0;
    try {
        std::string_view port = count > 1 ? words[1] : "0", threads = count > 2 ? words[2] : "2";
        if (count > 3) throw std::invalid_argument("usage: hso_server [PORT [THREADS]]");
        const auto number = static_cast<std::uint16_t>(take("PORT", port, 0, 65535));
        const std::int64_t size = take("THREADS", threads, 1, 256);
        if (::pipe(stop_pipe) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
        std::signal(SIGTERM, on_signal);
        std::signal(SIGINT, on_signal);
        std::signal(SIGPIPE, SIG_IGN);  // send() says that the other side has gone
        const int listener = listen_on(number);
        while (workers.size() < static_cast<std::size_t>(size)) workers.emplace_back(work, std::ref(queue));
        serve(listener, stop_pipe[0], queue);
        ::close(listener);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "hso_server: %s\n", error.what());
        status = 1;
    }
    queue.close();  // the workers end when they have answered what was read
    for (std::thread& worker : workers) worker.join();
    return status;
}
