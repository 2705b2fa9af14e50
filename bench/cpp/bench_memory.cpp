// Peak heap memory of a search above what the process held before it, and what a workspace keeps, counted at malloc's door.
#include <malloc.h>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <new>

#include <hso/optimize.hpp>

#include "tables.hpp"

namespace {

long long live = 0, peak = 0;

void* counted(std::size_t size) {
    void* block = std::malloc(size);
    if (!block) throw std::bad_alloc();
    live += static_cast<long long>(malloc_usable_size(block));
    peak = std::max(peak, live);
    return block;
}

void release(void* block) noexcept {
    if (block) live -= static_cast<long long>(malloc_usable_size(block));
    std::free(block);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void operator delete(void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }

int main() {
    const auto noise = bench::stable_diffusion();
    using hso::LocalSolver;
    using hso::Search;
    struct Setting {
        Search search;
        LocalSolver local;
    };
    constexpr Setting settings[] = {{Search::exact, LocalSolver::newton},
                                    {Search::bilevel, LocalSolver::newton},
                                    {Search::bilevel, LocalSolver::slsqp},
                                    {Search::paper, LocalSolver::slsqp}};
    for (const auto& [search, local] : settings)
        for (int nfe : {5, 10, 20, 50}) {
            hso::Options options;
            options.terminal = hso::Terminal::t_min;
            options.search = search;
            options.limits = hso::Limits::published;
            options.local = local;
            // NLopt allocates with malloc, out of sight of operator new: its share is the heap's growth
            const auto before = mallinfo2();
            const long long start = peak = live;
            const auto schedule = hso::optimize(noise, nfe, options);
            const auto after = mallinfo2();
            std::printf("%s (%s) nfe %d: peak %lld bytes by operator new, heap grown by %lld bytes, fitness %.10g\n",
                        hso::to_string(search).data(), hso::to_string(local).data(), nfe, peak - start,
                        static_cast<long long>(after.arena + after.hblkhd) - static_cast<long long>(before.arena + before.hblkhd),
                        schedule.fitness);
        }
    // what a workspace keeps: for the nfe of servers, for many, and where a certificate spends its whole budget
    struct Kept {
        const char* name;
        int first, last;
        double gap, p;
    };
    constexpr Kept kept[] = {{"exact, no certificate", 4, 12, HUGE_VAL, 2.0},
                             {"exact, certified", 4, 12, 1e-6, 2.0},
                             {"exact, certified", 20, 20, 1e-6, 2.0},
                             {"exact, certified", 100, 100, 1e-6, 2.0},
                             {"exact, certified", 200, 200, 1e-6, 2.0},
                             {"exact, uncertified", 200, 200, 1e-12, 4.0},
                             {"exact, no certificate", 10000, 10000, HUGE_VAL, 2.0}};
    for (const auto& [name, first, last, gap, p] : kept) {
        hso::Options options;
        options.terminal = hso::Terminal::t_min;
        options.proxy = hso::ErrorProxy::power(p);
        options.d_min = 0.0;
        options.gap = gap;
        const long long start = live;
        hso::Workspace workspace;
        {
            hso::Schedule out;
            for (int nfe = first; nfe <= last; ++nfe) hso::optimize(noise, nfe, options, workspace, out);
        }
        std::printf("workspace after %s, nfe %d to %d: %lld bytes\n", name, first, last, live - start);
    }
}
