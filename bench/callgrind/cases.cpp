#include "cases.hpp"

#include <cmath>
#include <cstddef>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>

#include <hso/hso.h>
#include <hso/objective.hpp>
#include <hso/optimize.hpp>

#include "../cpp/tables.hpp"

namespace bench {

namespace {

constexpr double kRounding = 1e-12;
constexpr double kFound = 1e-6;  ///< of a search's optimum

std::vector<double> even(double first, double last, std::size_t count) {
    std::vector<double> x(count);
    for (std::size_t i = 0; i < count; ++i)
        x[i] = first + (last - first) * static_cast<double>(i) / static_cast<double>(count - 1);
    return x;
}

double sum(std::span<const double> x) { return std::accumulate(x.begin(), x.end(), 0.0); }

/// Nodes of ten intervals.
std::vector<double> nodes() {
    const auto noise = stable_diffusion();
    return even(noise.lambda(0.96), noise.lambda(0.03), 11);
}

void add_kernels(std::vector<Case>& cases) {
    const auto lambdas = nodes();
    const auto expected = static_cast<double>(reference_mep(lambdas));
    const auto noise = stable_diffusion();
    const auto proxy = hso::ErrorProxy::power(2.0);
    cases.push_back({"mep/10", 200, [=] { return hso::mep(noise, lambdas, proxy); }, expected, kRounding});
    cases.push_back(
        {"mep_gradient/10", 200,
         [=, gradient = std::vector<double>(11)]() mutable { return hso::mep_gradient(noise, lambdas, proxy, gradient); },
         expected, kRounding});
    constexpr std::size_t rows = 64;
    std::vector<double> many;
    for (std::size_t row = 0; row < rows; ++row) many.insert(many.end(), lambdas.begin(), lambdas.end());
    for (const double p : {2.0, 2.5}) {
        const auto power = hso::ErrorProxy::power(p);
        cases.push_back({p == 2.0 ? "mep_gradient_batch/vp_p2/64" : "mep_gradient_batch/vp_p2_5/64", 20,
                         [=, values = std::vector<double>(rows), gradients = std::vector<double>(many.size())]() mutable {
                             hso::mep_gradient_batch(noise, many, lambdas.size(), power, values, gradients);
                             return sum(values);
                         },
                         static_cast<double>(rows) * hso::mep(noise, lambdas, power), kRounding});
    }
}

void add_noise(std::vector<Case>& cases) {
    const auto betas = stable_diffusion_betas();
    const auto noise = hso::NoiseSchedule::from_betas(betas);
    constexpr std::size_t count = 1000;
    // the table's entries: alpha^2 is the product of 1 - beta
    std::vector<double> t(count), lambdas(count), alphas(count), sigmas(count);
    double log_alpha = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
        log_alpha += 0.5 * std::log1p(-betas[i]);
        t[i] = static_cast<double>(i + 1) / static_cast<double>(count);
        alphas[i] = std::exp(log_alpha);
        sigmas[i] = std::sqrt(-std::expm1(2.0 * log_alpha));
        lambdas[i] = log_alpha - std::log(sigmas[i]);
    }
    cases.push_back(
        {"from_betas/1000", 5, [=] { return hso::NoiseSchedule::from_betas(betas).lambda(0.5); }, lambdas[499], kRounding});
    cases.push_back({"from_table/1000", 5, [=] { return hso::NoiseSchedule::from_table(t, alphas, sigmas).lambda(0.5); },
                     lambdas[499], kRounding});
    cases.push_back({"flow", 50, [] { return hso::NoiseSchedule::flow(3.0).lambda(0.25); }, std::log(3.0), kRounding});
    cases.push_back({"lambda_of_t/1000", 5,
                     [=, out = std::vector<double>(count)]() mutable {
                         noise.lambda(t, out);
                         return sum(out);
                     },
                     sum(lambdas), kRounding});
    cases.push_back({"t_of_lambda/1000", 5,
                     [=, out = std::vector<double>(count)]() mutable {
                         noise.t(lambdas, out);
                         return sum(out);
                     },
                     sum(t), kRounding});
    cases.push_back({"sigma_of_lambda/1000", 5,
                     [=, out = std::vector<double>(count)]() mutable {
                         noise.sigma(lambdas, out);
                         return sum(out);
                     },
                     sum(sigmas), kRounding});
}

/// The published UniPC setting, whose optima an independent implementation computed.
hso::Options published() {
    hso::Options options;
    options.terminal = hso::Terminal::t_min;
    options.limits = hso::Limits::published;
    options.gap = HUGE_VAL;
    return options;
}

Case search(const std::string& name, int nfe, int repetitions, const hso::Options& options) {
    return {name + "/" + std::to_string(nfe), repetitions,
            [=, noise = stable_diffusion()] { return hso::optimize(noise, nfe, options).fitness; }, published_optimum(nfe),
            kFound};
}

void add_searches(std::vector<Case>& cases) {
    hso::Options options = published();
    for (const int nfe : {4, 6, 10, 20}) cases.push_back(search("optimize/exact", nfe, 5, options));
    for (const int nfe : {4, 10})
        cases.push_back(
            {"optimize/exact_in_workspace/" + std::to_string(nfe), 5,
             [=, noise = stable_diffusion(), kept = std::make_shared<hso::Workspace>(), out = hso::Schedule()]() mutable {
                 hso::optimize(noise, nfe, options, *kept, out);
                 return out.fitness;
             },
             published_optimum(nfe), kFound});
    hso::Options certified = options;
    certified.gap = 1e-6;
    for (const int nfe : {6, 10}) cases.push_back(search("optimize/exact_certified", nfe, 2, certified));
    options.search = hso::Search::bilevel;
    options.local = hso::LocalSolver::newton;
    cases.push_back(search("optimize/bilevel_newton", 6, 1, options));
    options.local = hso::LocalSolver::slsqp;
    cases.push_back(search("optimize/bilevel_slsqp", 6, 1, options));
    options = published();
    cases.push_back(
        {"schedule_from_nodes/10", 50,
         [=, noise = stable_diffusion()] { return hso::schedule_from_nodes(noise, even(0.96, 0.03, 11), options).t[1]; },
         0.96 - 0.093, kRounding});
}

/// The C interface: handles that are freed with the case.
struct CHandles {
    hso_noise* noise = nullptr;
    hso_workspace* workspace = nullptr;
    CHandles() {
        const auto betas = stable_diffusion_betas();
        if (hso_noise_from_betas(betas.data(), betas.size(), &noise, nullptr) != HSO_OK ||
            hso_workspace_create(&workspace, nullptr) != HSO_OK)
            throw std::runtime_error("no handles");
    }
    CHandles(const CHandles&) = delete;
    CHandles& operator=(const CHandles&) = delete;
    ~CHandles() {
        hso_workspace_free(workspace);
        hso_noise_free(noise);
    }
};

void add_c_interface(std::vector<Case>& cases) {
    cases.push_back({"c_api/optimize/10", 5,
                     [handles = std::make_shared<CHandles>(), sigmas = std::vector<double>(11)]() mutable {
                         hso_options options;
                         hso_options_init(&options, sizeof options, nullptr);
                         options.terminal = HSO_TERMINAL_T_MIN;
                         options.limits = HSO_LIMITS_PUBLISHED;
                         options.gap = HUGE_VAL;
                         hso_schedule schedule = {};
                         schedule.size = sizeof schedule;
                         schedule.capacity = 11;
                         schedule.sigmas = sigmas.data();
                         hso_optimize(handles->noise, 10, &options, handles->workspace, &schedule, nullptr);
                         return schedule.fitness;
                     },
                     published_optimum(10), kFound});
}

}  // namespace

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    add_kernels(cases);
    add_noise(cases);
    add_searches(cases);
    add_c_interface(cases);
    return cases;
}

}  // namespace bench
