#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <hso/optimize.hpp>

#include "check_schedule.hpp"
#include "noises.hpp"
#include "requests.hpp"

namespace {

using namespace hso;
using namespace hso::fuzz;

template <class Enum>
Enum any_enumerator(Source& source) {
    return static_cast<Enum>(source.wild_int());
}

ErrorProxy wild_proxy(Source& source) {
    if (source.one_in(2)) return ErrorProxy::power(source.wild());
    std::vector<double> lambda, value;
    double x = source.uniform(-20.0, 5.0);
    for (std::size_t n = source.below(source.one_in(8) ? 300 : 8); n > 0; --n) {
        lambda.push_back(source.mostly(x));
        value.push_back(source.one_in(4) ? source.wild() : source.scale(1e-6, 1e6));
        x += source.scale(1e-12, 10.0);
    }
    if (source.one_in(16)) value.emplace_back(1.0);
    return ErrorProxy::table(lambda, value);
}

std::pair<double, double> wild_range(Source& source, const std::pair<double, double>& usual) {
    const double low = source.one_in(2) ? source.wild() : usual.first;
    return {low, source.one_in(2) ? source.wild() : usual.second};
}

/// Replaces some members by anything at all, but for budgets that would take long.
void distort(Source& source, Options& o) {
    for (std::size_t changes = source.below(4); changes > 0; --changes) switch (source.below(18)) {
            case 0: o.terminal = any_enumerator<Terminal>(source); break;
            case 1: o.search = any_enumerator<Search>(source); break;
            case 2: o.local = any_enumerator<LocalSolver>(source); break;
            case 3: o.objective = any_enumerator<LowerObjective>(source); break;
            case 4: o.limits = any_enumerator<Limits>(source); break;
            case 5: o.proxy = wild_proxy(source); break;
            case 6: o.gamma = source.wild(); break;
            case 7: o.gap = wild_gap(source); break;
            case 8: o.d_min = source.wild(); break;
            case 9: o.rho = wild_range(source, o.rho); break;
            case 10: o.t_min = wild_range(source, o.t_min.value_or(std::pair(0.0, 0.1))); break;
            case 11: o.t_max = wild_range(source, o.t_max.value_or(std::pair(0.9, 1.0))); break;
            case 12: o.threads = source.pick({-1, 1025, 2, 0}); break;
            case 13: o.local_iterations = source.pick({0, -1, 1, 200}); break;
            case 14: o.evolution.population_factor = source.pick({0, -1, 10001, 4}); break;
            case 15: o.evolution.max_generations = source.pick({-1, 0, 5}); break;
            case 16: (source.one_in(2) ? o.evolution.tolerance : o.evolution.crossover) = source.wild(); break;
            default: (source.one_in(2) ? o.evolution.mutation_low : o.evolution.mutation_high) = source.wild(); break;
        }
}

}  // namespace

/// Options of any kind give a schedule that keeps its promises, or are refused; the workspace and a second call make no difference.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Source source(std::span(data, size));
    accepted([&] {
        const NoiseSchedule noise = source.one_in(4) ? wild_noise(source) : valid_noise(source);
        const int nfe = source.one_in(16) ? source.pick({0, -1, 10001, std::numeric_limits<int>::min()}) : usual_nfe(source);
        Options options = valid_options(source, noise, nfe);
        distort(source, options);
        Workspace workspace;
        Schedule schedule;
        optimize(noise, nfe, options, workspace, schedule);
        check_found(noise, nfe, options, schedule);

        const auto nodes = optimized_nodes(schedule);
        const Schedule given = schedule_from_nodes(noise, nodes, options);
        check_schedule(noise, nfe, options, given);
        require(given.mep == schedule.mep && given.t == schedule.t && given.sigmas == schedule.sigmas,
                "the same schedule from its nodes");
        if (source.one_in(4)) {
            Schedule again;
            optimize(noise, nfe, options, workspace, again);
            require(again.t == schedule.t && again.fitness == schedule.fitness && again.evaluations == schedule.evaluations,
                    "the same again");
        }
    });
    return 0;
}
