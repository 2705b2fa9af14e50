// A server's schedule requests: one a line on standard input, one line of JSON as the answer to each.
//
//     echo "flux-dev 1024 768 6" | hso_embed
//
// A request is `MODEL WIDTH HEIGHT NFE [TERMINAL]`, with terminal zero (default), t_min or skip. Flow models shift their noise
// schedule with the image's resolution, so the schedule is a function of the request and is optimized inside it, on the thread
// that answers it: a tenth of a millisecond with the certificate. hso starts no thread, prints nothing, and reports bad input as
// std::invalid_argument; a bad request is answered with its message, and the next one is read.
// Build it: docs/examples.md.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <hso/hso.hpp>

constexpr int kMostCalls = 100;

struct Request {
    std::string model;
    int width = 0, height = 0, nfe = 0;
    hso::Terminal terminal = hso::Terminal::zero;
};

static Request parse(const std::string& line);
static hso::NoiseSchedule noise_schedule(const Request& request);
static void print(const hso::NoiseSchedule& noise, const hso::Schedule& schedule);
static void print_error(std::string_view message);

int main() {
    bool failed = false;
    for (std::string line; std::getline(std::cin, line);) {
        try {
            const Request request = parse(line);
            const hso::NoiseSchedule noise = noise_schedule(request);
            hso::Options options;
            options.terminal = request.terminal;
            print(noise, hso::optimize(noise, request.nfe, options));
        } catch (const std::invalid_argument& error) {
            failed = true;
            print_error(error.what());
        }
        std::fflush(stdout);  // whoever asked is waiting
    }
    return failed ? 1 : 0;
}

/// The models that this server has: a fixed shift, or one that follows the size.
static hso::NoiseSchedule noise_schedule(const Request& request) {
    if (request.width < 16 || request.height < 16 || request.width % 16 || request.height % 16)
        throw std::invalid_argument("WIDTH and HEIGHT must be positive multiples of 16, got " + std::to_string(request.width) +
                                    " and " + std::to_string(request.height));
    if (request.model == "sd3") return hso::NoiseSchedule::flow(3.0);
    if (request.model == "flux-dev") {
        // the logarithm of FLUX.1's shift is linear in the number of 16 x 16 patches: 0.5 at 256 and 1.15 at 4096
        const double patches = (request.width / 16.0) * (request.height / 16.0);
        return hso::NoiseSchedule::flow(std::exp(0.5 + (1.15 - 0.5) * (patches - 256.0) / (4096.0 - 256.0)));
    }
    throw std::invalid_argument("MODEL must be sd3 or flux-dev, got '" + request.model + "'");
}

static hso::Terminal terminal_of(std::string_view name) {
    for (const auto terminal : {hso::Terminal::zero, hso::Terminal::t_min, hso::Terminal::skip})
        if (hso::to_string(terminal) == name) return terminal;
    throw std::invalid_argument("TERMINAL must be zero, t_min or skip, got '" + std::string(name) + "'");
}

static Request parse(const std::string& line) {
    std::istringstream words(line);
    Request request;
    if (!(words >> request.model >> request.width >> request.height >> request.nfe))
        throw std::invalid_argument("a request is MODEL WIDTH HEIGHT NFE [TERMINAL], got '" + line + "'");
    if (request.nfe < 1 || request.nfe > kMostCalls)  // a search's time grows with nfe: bound it by what you serve
        throw std::invalid_argument("NFE must be from 1 to " + std::to_string(kMostCalls) + ", got " +
                                    std::to_string(request.nfe));
    std::string terminal, rest;
    if (words >> terminal) request.terminal = terminal_of(terminal);
    if (words >> rest) throw std::invalid_argument("nothing may follow TERMINAL, got '" + rest + "'");
    return request;
}

static void print_numbers(const char* name, const std::vector<double>& values) {
    std::printf("\"%s\": [", name);
    for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%.17g", i == 0 ? "" : ", ", values[i]);
    std::printf("], ");
}

/// Doubles with 17 digits are read back to the bit. Lambdas are left out: the last one may be infinite, which JSON has not.
static void print(const hso::NoiseSchedule& noise, const hso::Schedule& schedule) {
    std::printf("{\"shift\": %.17g, \"nfe\": %d, ", noise.shift(), schedule.nfe);
    print_numbers("sigmas", schedule.sigmas);
    print_numbers("timesteps", schedule.timesteps);
    const std::string status(hso::to_string(schedule.status));
    std::printf("\"fitness\": %.17g, \"gap\": %.2g, \"status\": \"%s\", \"microseconds\": %.0f}\n", schedule.fitness,
                schedule.gap, status.c_str(), 1e6 * schedule.elapsed);
}

static void print_error(std::string_view message) {
    std::string text;
    for (const char c : message) {
        if (static_cast<unsigned char>(c) < ' ') continue;  // a control character has no place in a JSON string
        if (c == '"' || c == '\\') text += '\\';
        text += c;
    }
    std::printf("{\"error\": \"%s\"}\n", text.c_str());
}
