#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include <hso/hso.h>

#include "noises.hpp"
#include "require.hpp"
#include "source.hpp"

namespace {

using hso::fuzz::require;
using hso::fuzz::Source;

/// Whether two structs, arrays ... have the same bytes.
template <class T>
bool same_bytes(const T& a, const T& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
}

/// A schedule's memory: arrays of exactly the capacity that it states, some of them left out.
class Output {
  public:
    explicit Output(Source& source) {
        const std::size_t capacity = source.one_in(8) ? source.below(4) : 12;
        std::memset(&schedule, 0x5a, sizeof schedule);
        schedule.size = source.one_in(16) ? static_cast<std::uint32_t>(source.word(4)) : sizeof schedule;
        schedule.capacity = static_cast<std::uint32_t>(capacity);
        double** const members[] = {&schedule.t, &schedule.lambdas, &schedule.sigmas, &schedule.timesteps};
        for (std::size_t i = 0; i < 4; ++i) {
            arrays_[i].assign(capacity, kUntouched);
            *members[i] = source.one_in(8) ? nullptr : arrays_[i].data();
        }
        before_ = schedule;
    }

    hso_schedule* get(Source& source) { return null_ = source.one_in(32), null_ ? nullptr : &schedule; }

    void check(hso_code code) const {
        if (code != HSO_OK) {
            require(same_bytes(schedule, before_), "a schedule untouched on failure");
            for (const auto& array : arrays_)
                require(std::all_of(array.begin(), array.end(), [](double x) { return x == kUntouched; }),
                        "arrays untouched on failure");
            return;
        }
        require(!null_ && schedule.size == before_.size && schedule.nfe >= 1 &&
                    static_cast<std::uint32_t>(schedule.nfe) < schedule.capacity,
                "a schedule that has room");
        const auto nfe = static_cast<std::size_t>(schedule.nfe);
        require(std::isfinite(schedule.fitness) && !(schedule.gap < 0.0), "figures");
        if (schedule.t)
            for (std::size_t i = 1; i <= nfe; ++i)
                require(arrays_[0][i] < arrays_[0][i - 1] || (i == nfe && arrays_[0][i - 1] == 0.0), "t falls");
        if (schedule.sigmas)
            for (std::size_t i = 1; i <= nfe; ++i) require(arrays_[2][i] <= arrays_[2][i - 1], "sigma falls");
        for (std::size_t a = 0; a < 4; ++a) {
            const std::size_t used = nfe + (a < 3 ? 1 : 0);
            for (std::size_t i = used; i < arrays_[a].size(); ++i)
                require(arrays_[a][i] == kUntouched, "nothing beyond the schedule");
        }
    }

    hso_schedule schedule;

  private:
    static constexpr double kUntouched = -12345.0;
    std::array<std::vector<double>, 4> arrays_;
    hso_schedule before_;
    bool null_ = false;
};

/// Handles and memory that a caller would keep, and calls with them.
class Caller {
  public:
    explicit Caller(Source& source) : source_(source) {}
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    ~Caller() {
        for (hso_noise* noise : noises_) hso_noise_free(noise);
        for (hso_workspace* workspace : workspaces_) hso_workspace_free(workspace);
    }

    void call() {
        switch (source_.below(16)) {
            case 0:
            case 1:
            case 2: return make_noise();
            case 3: {
                hso_noise*& noise = noises_[source_.below(noises_.size())];
                hso_noise_free(noise);
                noise = nullptr;
                return;
            }
            case 4: return make_workspace();
            case 5: {
                hso_workspace*& workspace = workspaces_[source_.below(workspaces_.size())];
                hso_workspace_free(workspace);
                workspace = nullptr;
                return;
            }
            case 6: return init_options();
            case 7:
            case 8: return evaluate();
            case 9: return ask_range();
            case 10: return from_nodes();
            default: return optimize();
        }
    }

  private:
    using Noises = std::array<hso_noise*, 4>;

    hso_error* error() {
        std::memset(&error_, 0x5a, sizeof error_);
        return wants_error_ = !source_.one_in(16), wants_error_ ? &error_ : nullptr;
    }

    /// Every call's code and error.
    hso_code checked(hso_code code) const {
        require(code == HSO_OK || code == HSO_INVALID_ARGUMENT, "no fault but invalid arguments");
        if (!wants_error_) return code;
        require(error_.code == code, "the error has the code");
        const auto* const end = static_cast<const char*>(std::memchr(error_.message, 0, sizeof error_.message));
        require(end && (end == error_.message) == (code == HSO_OK), "a message if and only if it failed");
        return code;
    }

    std::vector<double> wild_numbers() {
        std::vector<double> values(source_.below(12));
        for (double& v : values) v = source_.wild();
        return values;
    }

    /// An array that a call may be given, or NULL.
    template <class Number>
    Number* maybe(std::vector<double>& values) {
        return source_.one_in(32) ? nullptr : values.data();
    }

    void make_noise() {
        hso_noise* made = reinterpret_cast<hso_noise*>(this);  // no handle: has to be replaced
        hso_noise** const out = source_.one_in(32) ? nullptr : &made;
        hso_error* const e = error();
        hso_code code = HSO_OK;
        switch (source_.below(8)) {
            case 0: code = hso_noise_flow(source_.mostly(3.0), out, e); break;
            case 1: code = hso_noise_edm(source_.mostly(0.002), source_.mostly(80.0), out, e); break;
            case 2: code = hso_noise_vp_linear(source_.mostly(0.1), source_.mostly(20.0), out, e); break;
            case 3: code = hso_noise_vp_cosine(source_.mostly(0.008), out, e); break;
            case 4:
            case 5: {
                const bool betas = source_.one_in(2);
                auto values = source_.one_in(4) ? wild_numbers() : betas ? valid_betas(source_) : valid_alphas_cumprod(source_);
                const auto make = betas ? hso_noise_from_betas : hso_noise_from_alphas_cumprod;
                const double* const given = maybe<const double>(values);
                code = make(given, given || source_.one_in(2) ? values.size() : std::numeric_limits<std::size_t>::max(), out, e);
                break;
            }
            default: {
                auto table = hso::fuzz::valid_table(source_);
                auto& column = source_.one_in(3) ? table.t : source_.one_in(2) ? table.alpha : table.sigma;
                double& entry = column[source_.below(column.size())];
                entry = source_.mostly(entry);
                code = hso_noise_from_table(maybe<const double>(table.t), maybe<const double>(table.alpha),
                                            maybe<const double>(table.sigma), table.t.size(), source_.mostly(1000.0), out, e);
            }
        }
        checked(code);
        require(out || code == HSO_INVALID_ARGUMENT, "nowhere to put the noise schedule");
        if (!out) return;
        require((made != nullptr) == (code == HSO_OK), "NULL on failure");
        hso_noise*& slot = noises_[source_.below(noises_.size())];
        hso_noise_free(slot);
        slot = made;
    }

    void make_workspace() {
        hso_workspace* made = reinterpret_cast<hso_workspace*>(this);
        hso_workspace** const out = source_.one_in(32) ? nullptr : &made;
        const hso_code code = checked(hso_workspace_create(out, error()));
        require((code == HSO_OK) == (out != nullptr), "a workspace unless there is nowhere to put it");
        if (!out) return;
        hso_workspace*& slot = workspaces_[source_.below(workspaces_.size())];
        hso_workspace_free(slot);
        slot = made;
    }

    const hso_noise* noise() { return source_.one_in(32) ? nullptr : noises_[source_.below(noises_.size())]; }
    hso_workspace* workspace() { return source_.one_in(32) ? nullptr : workspaces_[source_.below(workspaces_.size())]; }

    void init_options() {
        // room for a newer caller's members
        std::array<unsigned char, sizeof(hso_options) + 64> memory;
        memory.fill(0x5a);
        const auto before = memory;
        alignas(hso_options) static thread_local std::array<unsigned char, sizeof(hso_options) + 64> aligned;
        aligned = memory;
        auto* const options = source_.one_in(16) ? nullptr : reinterpret_cast<hso_options*>(aligned.data());
        const std::size_t size = source_.pick({sizeof(hso_options), sizeof(hso_options) + 64, sizeof(hso_options) - 1,
                                               std::size_t{0}, std::numeric_limits<std::size_t>::max()});
        const hso_code code = checked(hso_options_init(options, size, error()));
        if (code != HSO_OK) require(aligned == before, "options untouched on failure");
        else require(options->size == size, "options have their size");
    }

    void evaluate() {
        auto in = source_.one_in(4) ? wild_numbers() : std::vector<double>(source_.below(12));
        for (double& x : in) x = source_.one_in(4) ? x : source_.uniform(-3.0, 3.0);
        std::vector<double> out(in.size());
        const auto function = source_.pick({hso_noise_lambda, hso_noise_t, hso_noise_alpha, hso_noise_sigma, hso_noise_timestep});
        const double* const from = maybe<const double>(in);
        double* const to = source_.one_in(8) ? const_cast<double*>(from) : maybe<double>(out);
        checked(function(noise(), from, to,
                         from && to ? in.size() : source_.pick({in.size(), std::numeric_limits<std::size_t>::max()}), error()));
    }

    void ask_range() {
        double low = -1.0, high = -1.0;
        double* const to_low = source_.one_in(16) ? nullptr : &low;
        double* const to_high = source_.one_in(16) ? nullptr : &high;
        const hso_code code = checked(hso_noise_t_range(noise(), to_low, to_high, error()));
        require(code == HSO_OK ? low >= 0.0 && low < high && high <= 1.0 : low == -1.0 && high == -1.0, "a range, or untouched");
    }

    /// Options of any kind, but for budgets that would take long.
    const hso_options* options(hso_options& o, std::vector<double>& proxy_lambda, std::vector<double>& proxy_value) {
        if (source_.one_in(4)) return nullptr;
        require(hso_options_init(&o, sizeof o, nullptr) == HSO_OK, "defaults");
        o.gap = std::numeric_limits<double>::infinity();  // a certificate may spend seconds
        o.terminal = source_.between(0, 2);
        if (source_.one_in(8)) o.search = source_.between(0, 3);
        o.local_iterations = 20;
        for (std::size_t changes = source_.below(4); changes > 0; --changes) switch (source_.below(17)) {
                case 0: o.size = source_.one_in(2) ? static_cast<std::uint32_t>(source_.word(4)) % sizeof o : 0xffffffffu; break;
                case 1: o.terminal = source_.wild_int(); break;
                case 2: o.search = source_.wild_int(); break;
                case 3: o.local = source_.one_in(2) ? source_.wild_int() : source_.between(0, 2); break;
                case 4: o.objective = source_.one_in(2) ? source_.wild_int() : source_.between(0, 1); break;
                case 5: o.limits = source_.one_in(2) ? source_.wild_int() : source_.between(0, 2); break;
                case 6: o.threads = source_.pick({-1, 1025, 2, 1}); break;
                case 7: o.local_iterations = source_.pick({0, -1, 1, 40}); break;
                case 8: o.p = source_.wild(); break;
                case 9: {
                    double x = -4.0;
                    for (std::size_t n = source_.below(8); n > 0; --n) {
                        proxy_lambda.push_back(source_.mostly(x += source_.uniform(0.1, 2.0)));
                        proxy_value.push_back(source_.mostly(source_.scale(0.1, 10.0)));
                    }
                    o.proxy_lambda = maybe<const double>(proxy_lambda);
                    o.proxy_value = maybe<const double>(proxy_value);
                    o.proxy_count = o.proxy_lambda && o.proxy_value ? proxy_lambda.size()
                                                                    : source_.pick({proxy_lambda.size(), ~std::size_t{0}});
                    break;
                }
                case 10: o.gamma = source_.wild(); break;
                case 11: o.gap = wild_gap(source_); break;
                case 12: o.d_min = source_.one_in(2) ? source_.wild() : source_.uniform(0.0, 0.2); break;
                case 13: (source_.one_in(2) ? o.rho_low : o.rho_high) = source_.wild(); break;
                case 14: (source_.one_in(2) ? o.t_min_low : o.t_min_high) = source_.wild(); break;
                case 15: (source_.one_in(2) ? o.t_max_low : o.t_max_high) = source_.wild(); break;
                default: o.seed = source_.word(8); break;
            }
        return &o;
    }

    /// The bilevel and the published search have the published number of generations here: each has to be short.
    void optimize() {
        hso_options memory;
        std::vector<double> proxy_lambda, proxy_value;
        const hso_options* given = options(memory, proxy_lambda, proxy_value);
        const bool evolves = given && (given->search >= HSO_SEARCH_BILEVEL || given->objective == HSO_OBJECTIVE_DM_NONUNI);
        if (evolves) memory.local_iterations = std::min(memory.local_iterations, 2);
        Output output(source_);
        const std::int32_t nfe = source_.one_in(16) ? source_.wild_int() : source_.between(1, evolves ? 2 : 11);
        output.check(checked(hso_optimize(noise(), nfe, given, workspace(), output.get(source_), error())));
    }

    void from_nodes() {
        hso_options memory;
        std::vector<double> proxy_lambda, proxy_value;
        const hso_options* given = options(memory, proxy_lambda, proxy_value);
        auto t = hso::fuzz::rising(source_, 1 + source_.below(12), 0.05, 0.95);
        std::reverse(t.begin(), t.end());
        t[source_.below(t.size())] = source_.mostly(t.back());
        Output output(source_);
        const double* const nodes = maybe<const double>(t);
        output.check(checked(hso_schedule_from_nodes(noise(), nodes, nodes ? t.size() : source_.pick({t.size(), ~std::size_t{0}}),
                                                     given, output.get(source_), error())));
    }

    Source& source_;
    Noises noises_ = {};
    std::array<hso_workspace*, 2> workspaces_ = {};
    hso_error error_;
    bool wants_error_ = false;
};

}  // namespace

/// Calls of the C interface in any order, with any arguments that point to memory: none crashes, and one that fails leaves its
/// outputs alone.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Source source(std::span(data, size));
    Caller caller(source);
    for (int calls = 0; calls < 24 && !source.spent(); ++calls) caller.call();
    return 0;
}
