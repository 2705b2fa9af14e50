// What a server's searches cost without a server: threads that optimize one request after the other, each with its workspace.
//
//     hso_in_process THREADS SECONDS exact|certified
//
// Prints JSON: requests a second of all threads together, and how long a request took, noise schedule and search.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <thread>
#include <vector>

#include <hso/hso.hpp>

#include "latency.hpp"
#include "requests.hpp"

using Clock = std::chrono::steady_clock;

static double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

/// As examples/server.cpp has it.
static double shift_for(const load::Request& request) {
    constexpr double slope = (1.15 - 0.5) / (4096.0 - 256.0);
    const double patches = (request.width / 16) * (request.height / 16);
    return std::exp(0.5 + slope * (patches - 256.0));
}

static void search(std::uint64_t seed, const hso::Options& options, Clock::time_point begin, Clock::time_point end,
                   load::Latencies& latencies) {
    hso::Workspace workspace;
    hso::Schedule schedule;
    load::Requests requests(seed);
    for (Clock::time_point before = Clock::now(); before < end;) {
        const load::Request request = requests.next();
        hso::optimize(hso::NoiseSchedule::flow(shift_for(request)), request.nfe, options, workspace, schedule);
        const Clock::time_point after = Clock::now();
        if (before >= begin) latencies.add(seconds(after - before));
        before = after;
    }
}

int main(int count, char** words) {
    const int threads = count == 4 ? std::atoi(words[1]) : 0;
    const double length = count == 4 ? std::atof(words[2]) : 0.0;
    const std::string_view kind = count == 4 ? words[3] : "";
    if (threads < 1 || length <= 0.0 || (kind != "exact" && kind != "certified")) {
        std::fprintf(stderr, "usage: hso_in_process THREADS SECONDS exact|certified\n");
        return 2;
    }
    hso::Options options;
    if (kind == "exact") options.gap = std::numeric_limits<double>::infinity();
    const auto begin = Clock::now() + std::chrono::milliseconds(200);  // the first searches get their memory
    const auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(length));
    std::vector<load::Latencies> latencies(static_cast<std::size_t>(threads), load::Latencies(1 << 20));
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < latencies.size(); ++i)
        workers.emplace_back(search, i + 1, std::cref(options), begin, end, std::ref(latencies[i]));
    for (std::thread& worker : workers) worker.join();

    load::Latencies all(0);
    for (const load::Latencies& each : latencies) all.add(each);
    std::printf("{\"threads\": %d, \"seconds\": %g, \"certificate\": %s, \"searches\": %zu, \"per_second\": %.4g, \"latency\": ",
                threads, length, kind == "certified" ? "true" : "false", all.count(), static_cast<double>(all.count()) / length);
    all.print(stdout);
    std::printf("}\n");
}
