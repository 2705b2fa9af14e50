#include "chain_qp.hpp"

#include <optional>

#include <doctest/doctest.h>

#include "chain_kkt.hpp"
#include "reference.hpp"
#include "support.hpp"

using hso::detail::ChainQp;
using hso::detail::Checkpoint;
using namespace hso::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Chain {
    explicit Chain(std::size_t n)
        : diagonal(n), off_diagonal(n - 1), gradient(n), slack(n - 1), low(n, -kInfinity), high(n, kInfinity) {}

    std::vector<double> diagonal, off_diagonal, gradient, slack, low, high;

    std::size_t size() const { return diagonal.size(); }
    ChainQp::Problem problem() const { return {diagonal, off_diagonal, gradient, slack, low, high}; }

    std::vector<double> residual(std::span<const double> p) const {  // g + H p
        std::vector<double> r(size());
        for (std::size_t i = 0; i < size(); ++i) {
            Real sum = static_cast<Real>(gradient[i]) + static_cast<Real>(diagonal[i]) * static_cast<Real>(p[i]);
            if (i > 0) sum += static_cast<Real>(off_diagonal[i - 1]) * static_cast<Real>(p[i - 1]);
            if (i + 1 < size()) sum += static_cast<Real>(off_diagonal[i]) * static_cast<Real>(p[i + 1]);
            r[i] = static_cast<double>(sum);
        }
        return r;
    }
    double value(std::span<const double> p) const {
        const auto r = residual(p);
        double sum = 0.0;
        for (std::size_t i = 0; i < size(); ++i) sum += 0.5 * p[i] * (gradient[i] + r[i]);
        return sum;
    }
    double gap(std::span<const double> p, std::size_t i) const { return slack[i] + p[i] - p[i + 1]; }
};

double largest(std::span<const double> x) {
    double most = 0.0;
    for (double value : x) most = std::max(most, std::abs(value));
    return most;
}

void randomize_constraints(Random& random, Chain& chain, double tight) {
    for (double& s : chain.slack) s = random.uniform() < tight ? (random.below(4) ? 0.0 : 1e-15) : random.uniform(0.0, 0.5);
    for (std::size_t i = 0; i < chain.size(); ++i) switch (random.below(8)) {
            case 0: chain.low[i] = chain.high[i] = 0.0; break;  // fixed
            case 1: chain.low[i] = 0.0; break;                  // touching
            case 2: chain.high[i] = 0.0; break;
            case 3: chain.low[i] = -random.uniform(0.0, 0.5); break;
            case 4: chain.low[i] = -random.uniform(), chain.high[i] = random.uniform(); break;
            default: break;
        }
}

/// H = S L D L^T S with L bidiagonal: positive definite however the nodes' scales S differ.
Chain convex_chain(Random& random, std::size_t n, double decades, double tight) {
    Chain chain(n);
    double carry = 0.0, before = 1.0;
    for (std::size_t i = 0; i < n; ++i) {
        const double d = random.uniform(0.3, 2.0), l = random.uniform(-1.0, 1.0);
        const double scale = std::pow(10.0, random.uniform(-decades, decades));
        chain.diagonal[i] = (d + carry) * scale * scale;
        chain.gradient[i] = random.uniform(-2.0, 2.0) * scale;
        if (i > 0) chain.off_diagonal[i - 1] *= before * scale;
        if (i + 1 < n) chain.off_diagonal[i] = d * l;
        carry = d * l * l;
        before = scale;
    }
    randomize_constraints(random, chain, tight);
    return chain;
}

void check_feasible(const Chain& chain, std::span<const double> p) {
    const double tolerance = 1e-12 * (1.0 + largest(p));
    for (std::size_t i = 0; i < chain.size(); ++i) {
        REQUIRE(std::isfinite(p[i]));
        REQUIRE(p[i] >= chain.low[i] - tolerance);
        REQUIRE(p[i] <= chain.high[i] + tolerance);
        if (chain.low[i] == 0.0 && chain.high[i] == 0.0) REQUIRE(p[i] == 0.0);
        if (i + 1 < chain.size()) REQUIRE(chain.gap(p, i) >= -tolerance);
    }
}

/// Feasible and stationary, and what the solver calls its active set is tight: with a convex H that is the minimum.
void check_minimum(const Chain& chain, const ChainQp& qp, std::span<const double> p) {
    check_feasible(chain, p);
    const std::size_t n = chain.size();
    const double tolerance = 1e-12 * (1.0 + largest(p));
    Tight tight{std::vector<bool>(n), std::vector<bool>(n), std::vector<bool>(n)};
    double force = 0.0;
    bool pinned = false;
    for (std::size_t i = 0; i < n; ++i) {
        tight.gap[i] = i + 1 < n && chain.gap(p, i) <= tolerance;
        tight.low[i] = p[i] - chain.low[i] <= tolerance;
        tight.high[i] = chain.high[i] - p[i] <= tolerance;
        force = std::max({force, std::abs(chain.gradient[i]), std::abs(chain.diagonal[i] * p[i])});
        if (qp.tied(i)) REQUIRE(tight.gap[i]);
        pinned |= tight.low[i] || tight.high[i];
        if (!qp.tied(i)) {
            if (qp.held(i)) REQUIRE(pinned);
            pinned = false;
        }
    }
    REQUIRE(chain_kkt_violation(chain.residual(p), tight) <= 1e-10 * force);
}

/// The least value over every set of active constraints: each set's minimum by Gaussian elimination, if it is feasible.
double least_value(const Chain& chain) {
    const std::size_t n = chain.size();
    std::size_t sets = std::size_t{1} << (n - 1);
    for (std::size_t i = 0; i < n; ++i) sets *= 3;
    double least = kInfinity;
    for (std::size_t set = 0; set < sets; ++set) {
        // p = shift + one unknown for each block of tied nodes
        std::vector<std::size_t> block(n, 0);
        std::vector<double> shift(n, 0.0);
        std::vector<std::optional<double>> known;
        bool possible = true;
        for (std::size_t i = 0, rest = set; i < n; ++i) {
            const bool tied = i > 0 && rest % 2 == 1;
            if (i > 0) rest /= 2;
            if (!tied) known.emplace_back();
            block[i] = known.size() - 1;
            if (tied) shift[i] = shift[i - 1] + chain.slack[i - 1];
            const double bound = rest % 3 == 1 ? chain.low[i] : chain.high[i];
            if (rest % 3 > 0) {
                possible &= std::isfinite(bound) && (!known.back() || std::abs(*known.back() - bound + shift[i]) < 1e-14);
                known.back() = bound - shift[i];
            }
            rest /= 3;
        }
        if (!possible) continue;
        const std::size_t m = known.size();
        std::vector<std::vector<double>> rows(m, std::vector<double>(m + 1));
        const auto r = chain.residual(shift);
        for (std::size_t i = 0; i < n; ++i) {
            rows[block[i]][m] -= r[i];
            rows[block[i]][block[i]] += chain.diagonal[i];
            if (i + 1 == n) break;
            rows[block[i]][block[i + 1]] += chain.off_diagonal[i];
            rows[block[i + 1]][block[i]] += chain.off_diagonal[i];
        }
        for (std::size_t b = 0; b < m; ++b) {
            if (!known[b]) continue;
            std::fill(rows[b].begin(), rows[b].end(), 0.0);
            rows[b][b] = 1.0;
            rows[b][m] = *known[b];
        }
        for (std::size_t c = 0; c < m; ++c)
            for (std::size_t b = 0; b < m; ++b) {
                const double factor = rows[b][c] / rows[c][c];
                for (std::size_t j = c; b != c && j <= m; ++j) rows[b][j] -= factor * rows[c][j];
            }
        bool feasible = true;
        for (std::size_t i = 0; i < n; ++i) shift[i] += rows[block[i]][m] / rows[block[i]][block[i]];
        for (std::size_t i = 0; i < n; ++i) {
            feasible &= shift[i] >= chain.low[i] - 1e-12 && shift[i] <= chain.high[i] + 1e-12;
            feasible &= i + 1 == n || chain.gap(shift, i) >= -1e-12;
        }
        if (feasible) least = std::min(least, chain.value(shift));
    }
    return least;
}

}  // namespace

TEST_CASE("chain QP: the least value over all active sets") {
    Random random(71);
    for (std::size_t n : {1, 2, 3, 4})
        for (int repeat = 0; repeat < 150; ++repeat) {
            CAPTURE(n);
            CAPTURE(repeat);
            const Chain chain = convex_chain(random, n, 0.0, 0.4);
            ChainQp qp(n);
            Checkpoint unasked;
            std::vector<double> p(n, 7.0);
            qp.solve(chain.problem(), p, unasked);
            const double expected = least_value(chain);
            REQUIRE(expected <= 0.0);
            REQUIRE(std::abs(chain.value(p) - expected) <= 1e-11);
        }
}

TEST_CASE("chain QP: Karush, Kuhn and Tucker's conditions for longer and ill-scaled chains") {
    Random random(72);
    for (double decades : {0.0, 1.0, 3.0})
        for (double tight : {0.0, 0.3, 0.8, 1.0})
            for (int repeat = 0; repeat < 150; ++repeat) {
                const std::size_t n = repeat ? 1 + random.below(40) : 300;
                CAPTURE(n);
                CAPTURE(decades);
                CAPTURE(tight);
                CAPTURE(repeat);
                const Chain chain = convex_chain(random, n, decades, tight);
                ChainQp qp(n);
                Checkpoint unasked;
                std::vector<double> p(n), again(n, 1.0);
                qp.solve(chain.problem(), p, unasked);
                check_minimum(chain, qp, p);
                qp.solve(chain.problem(), again, unasked);  // nothing is left of the solve before
                REQUIRE(again == p);
            }
}

TEST_CASE("chain QP: whatever H, the step is feasible and a direction of descent") {
    Random random(73);
    for (int repeat = 0; repeat < 2000; ++repeat) {
        CAPTURE(repeat);
        const std::size_t n = 1 + random.below(20);
        Chain chain(n);
        for (double& d : chain.diagonal) d = random.uniform(-2.0, 2.0);
        for (double& d : chain.off_diagonal) d = random.uniform(-2.0, 2.0);
        for (double& g : chain.gradient) g = random.uniform(-1.0, 1.0);
        randomize_constraints(random, chain, 0.3);
        ChainQp qp(n);
        Checkpoint unasked;
        std::vector<double> p(n);
        qp.solve(chain.problem(), p, unasked);
        check_feasible(chain, p);
        double slope = 0.0;
        for (std::size_t i = 0; i < n; ++i) slope += chain.gradient[i] * p[i];
        CHECK(slope <= 0.0);
        if (largest(p) > 0.0) CHECK(slope < 0.0);
    }
}

TEST_CASE("chain QP: nothing can move") {
    Random random(74);
    for (std::size_t n : {1, 2, 5, 40}) {
        Chain chain = convex_chain(random, n, 1.0, 1.0);
        std::fill(chain.slack.begin(), chain.slack.end(), 0.0);
        std::fill(chain.low.begin(), chain.low.end(), -kInfinity);
        std::fill(chain.high.begin(), chain.high.end(), kInfinity);
        // the first may not rise above the last's place, the last may not fall below it: all are held between them
        chain.low.back() = chain.high.back() = chain.low.front() = chain.high.front() = 0.0;
        for (std::size_t i = 0; i < n; ++i) chain.gradient[i] = static_cast<double>(i);  // pulls later nodes down, apart
        ChainQp qp(n);
        Checkpoint unasked;
        std::vector<double> p(n, 1.0);
        qp.solve(chain.problem(), p, unasked);
        check_minimum(chain, qp, p);
        for (double& g : chain.gradient) g = random.uniform(-1.0, 1.0);
        qp.solve(chain.problem(), p, unasked);
        check_minimum(chain, qp, p);
        // the same with one bound each: the whole chain is squeezed
        chain.low.front() = -kInfinity;
        chain.high.back() = kInfinity;
        qp.solve(chain.problem(), p, unasked);
        check_minimum(chain, qp, p);
    }
}
