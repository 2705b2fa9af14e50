// A load on a schedule server on loopback, from one thread.
//
//     hso_load line|http PORT CONNECTIONS RATE SECONDS [SEED]
//
// RATE > 0: an open loop. Requests arrive at random times (a Poisson process of that rate) whether or not the server keeps up,
// and a latency counts from the arrival: one that has to wait for a free connection waits on the server's account. So a
// server that stops for a moment is charged with all who would have come in it (no coordinated omission).
// RATE 0: a closed loop. Every connection asks again as soon as it is answered: the most that the server can do.
//
// Prints JSON. "late" is how much later than its arrival a request was sent although a connection was free: the generator's
// own fault, which is within the latencies. Ends with 1 when a request failed. For Linux.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "latency.hpp"
#include "protocol.hpp"
#include "requests.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr Seconds kWarmUp{1.0};     // not counted
constexpr Seconds kPatience{60.0};  // for what is under way at the end

struct Settings {
    load::Protocol protocol = load::Protocol::line;
    std::uint16_t port = 0;
    std::size_t connections = 0;
    double rate = 0.0, seconds = 0.0;
    std::uint64_t seed = 1;
};

Settings parse(int count, char** words) {
    Settings settings;
    const std::string_view protocol = count > 1 ? words[1] : "";
    if ((count != 6 && count != 7) || (protocol != "line" && protocol != "http"))
        throw std::invalid_argument("usage: hso_load line|http PORT CONNECTIONS RATE SECONDS [SEED]");
    settings.protocol = protocol == "line" ? load::Protocol::line : load::Protocol::http;
    settings.port = static_cast<std::uint16_t>(std::stoul(words[2]));
    settings.connections = std::stoul(words[3]);
    settings.rate = std::stod(words[4]);
    settings.seconds = std::stod(words[5]);
    if (count == 7) settings.seed = std::stoull(words[6]);
    if (settings.connections < 1 || settings.connections > 256 || !(settings.rate >= 0.0) || !(settings.seconds > 0.0))
        throw std::invalid_argument("CONNECTIONS must be 1 to 256, RATE 0 or more, SECONDS above 0");
    return settings;
}

/// A connection with at most one request under way.
struct Connection {
    int socket = -1;
    bool busy = false;
    std::uint64_t id = 0;
    load::Request request{};
    Clock::time_point arrival;
    std::string received;
};

int connect_to(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0), on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (socket < 0 || ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot connect to port " + std::to_string(port));
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
}

class Load {
  public:
    explicit Load(const Settings& settings)
        : settings_(settings), requests_(settings.seed), random_(~settings.seed), latencies_(1 << 22), late_(1 << 22) {
        for (std::size_t i = 0; i < settings.connections; ++i) {
            connections_.push_back({.socket = connect_to(settings.port), .arrival = {}, .received = {}});
            watched_.push_back({connections_.back().socket, POLLIN, 0});
        }
    }
    ~Load() {
        for (const Connection& connection : connections_) ::close(connection.socket);
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    void run() {
        const Clock::time_point start = Clock::now();
        begin_ = start + std::chrono::duration_cast<Clock::duration>(kWarmUp);
        end_ = begin_ + std::chrono::duration_cast<Clock::duration>(Seconds(settings_.seconds));
        next_arrival_ = start;
        const Clock::time_point last = end_ + std::chrono::duration_cast<Clock::duration>(kPatience);
        for (Clock::time_point now = start; now < last; now = Clock::now()) {
            if (counting_ < 0.0 && now >= begin_) counting_ = load::processor_seconds();
            arrive(now);
            if (now >= end_ && waiting_.empty() && idle() == connections_.size()) break;
            wait(now);
        }
        counting_ = load::processor_seconds() - counting_;
        failed_ += waiting_.size() + (connections_.size() - idle());
    }

    /// False where a request failed.
    bool print() {
        std::printf(
            "{\"connections\": %zu, \"rate\": %g, \"seconds\": %g, \"answered\": %zu, \"failed\": %zu, \"per_second\": %.4g, ",
            connections_.size(), settings_.rate, settings_.seconds, latencies_.count(), failed_,
            static_cast<double>(in_time_) / settings_.seconds);
        std::printf("\"client_processors\": %.3f, \"latency\": ", counting_ / settings_.seconds);
        latencies_.print(stdout);
        std::printf(", \"late\": ");
        late_.print(stdout);
        std::printf("}\n");
        return failed_ == 0 && latencies_.count() > 0;
    }

  private:
    /// Sends what has arrived by now as far as there are free connections.
    void arrive(Clock::time_point now) {
        if (settings_.rate == 0.0) {
            for (Connection& connection : connections_)
                if (!connection.busy && now < end_) send(connection, now);
            return;
        }
        const bool free = idle() > waiting_.size();
        for (; next_arrival_ <= now && next_arrival_ < end_; next_arrival_ += gap()) {
            waiting_.push_back(next_arrival_);
            if (free && next_arrival_ >= begin_) late_.add(Seconds(now - next_arrival_).count());
        }
        for (std::size_t tried = 0; tried < connections_.size() && !waiting_.empty(); ++tried) {
            Connection& connection = connections_[turn_++ % connections_.size()];
            if (connection.busy) continue;
            send(connection, waiting_.front());
            waiting_.pop_front();
        }
    }

    /// To the next arrival.
    Clock::duration gap() {
        const double uniform = (static_cast<double>(random_() >> 11) + 0.5) * 0x1p-53;
        return std::chrono::duration_cast<Clock::duration>(Seconds(-std::log(uniform) / settings_.rate));
    }

    void send(Connection& connection, Clock::time_point arrival) {
        connection.busy = true;
        connection.id = next_id_++;
        connection.request = requests_.next();
        connection.arrival = arrival;
        const std::string text = load::request_text(settings_.protocol, connection.id, connection.request);
        if (::send(connection.socket, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
            throw std::system_error(errno, std::generic_category(), "cannot send");
    }

    /// Until an answer comes or the next request arrives.
    void wait(Clock::time_point now) {
        const bool open = settings_.rate > 0.0 && next_arrival_ < end_;
        const auto pause =
            open ? next_arrival_ - now : std::chrono::duration_cast<Clock::duration>(std::chrono::milliseconds(100));
        const auto nanoseconds = std::max(std::chrono::duration_cast<std::chrono::nanoseconds>(pause).count(), 0L);
        const timespec timeout{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
        if (::ppoll(watched_.data(), watched_.size(), &timeout, nullptr) < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "ppoll");
        for (std::size_t i = 0; i < connections_.size(); ++i)
            if (watched_[i].revents != 0 && !receive(connections_[i])) {
                ::close(connections_[i].socket);  // an HTTP server may close a connection that it thinks idle
                watched_[i].fd = connections_[i].socket = connect_to(settings_.port);
            }
    }

    /// False when an idle connection was closed; throws where one was that waits for an answer.
    bool receive(Connection& connection) {
        char bytes[16384];
        const ssize_t size = ::recv(connection.socket, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
        if (size <= 0 && connection.busy) throw std::runtime_error("the server closed a connection that waited for an answer");
        if (size <= 0) return false;
        connection.received.append(bytes, static_cast<std::size_t>(size));
        const auto answer = load::answer_in(settings_.protocol, connection.received, connection.id, connection.request);
        if (!answer) return true;
        if (!answer->good && failed_ == 0) std::fprintf(stderr, "answered: %.600s\n", connection.received.c_str());
        connection.received.erase(0, answer->size);
        connection.busy = false;
        if (!answer->good) ++failed_;
        if (connection.arrival < begin_) return true;
        const Clock::time_point now = Clock::now();
        if (now < end_) ++in_time_;
        latencies_.add(Seconds(now - connection.arrival).count());
        return true;
    }

    std::size_t idle() const {
        std::size_t count = 0;
        for (const Connection& connection : connections_) count += connection.busy ? 0 : 1;
        return count;
    }

    Settings settings_;
    load::Requests requests_;
    std::mt19937_64 random_;  // of the arrivals: a stream of its own
    load::Latencies latencies_, late_;
    std::vector<Connection> connections_;
    std::vector<pollfd> watched_;
    std::deque<Clock::time_point> waiting_;  // arrivals that no connection was free for
    Clock::time_point begin_, end_, next_arrival_;
    std::uint64_t next_id_ = 0;
    std::size_t turn_ = 0;  // whose turn it is: all connections are used alike
    std::size_t failed_ = 0, in_time_ = 0;
    double counting_ = -1.0;  // processor time since the warm-up
};

}  // namespace

int main(int count, char** words) {
    try {
        const Settings settings = parse(count, words);
        ::prctl(PR_SET_TIMERSLACK, 1);  // nanosecond: arrivals are not gathered
        Load load(settings);
        load.run();
        return load.print() ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "hso_load: %s\n", error.what());
        return 2;
    }
}
