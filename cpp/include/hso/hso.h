#pragma once

/// @file
/// The library from C, and from whatever calls C: noise schedules, optimize, schedules from nodes. C99.
///
/// Every function that can fail returns an hso_code and fills `error`, which may be NULL. No C++ exception leaves the
/// library, no thread is started unless hso_options::threads asks for it, and nothing is printed. A NULL pointer is
/// HSO_INVALID_ARGUMENT wherever the text does not allow it.
///
/// Threads: an hso_noise never changes, so any number of threads may use one at once; an hso_workspace serves one call at a
/// time. Functions that take neither may be called at any time. Exceptions to this are said with the function.
///
/// Binary interface: what is here stays as it is until HSO_ABI_VERSION changes. A struct that begins with `size` may get new
/// members at its end without that: the caller says with sizeof which of them it knows.

#include <stddef.h>
#include <stdint.h>

#include <hso/export.h>
#include <hso/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Of the headers that were compiled against; hso_abi_version() is the library's.
#define HSO_ABI_VERSION 1

/// What a call returns.
typedef int32_t hso_code;
enum {
    HSO_OK = 0,
    HSO_INVALID_ARGUMENT = 1,  ///< the message names the argument, its value and the limit; or the workspace is in use
    HSO_OUT_OF_MEMORY = 2,     ///< what was asked for needs more memory than there is
    HSO_SYSTEM = 3,            ///< the operating system refused a thread
    HSO_OTHER = 4,             ///< nothing that a caller can cause: a fault of the library
    HSO_STOPPED = 5            ///< hso_options::should_stop said so
};

/// What went wrong. A call sets it on success, too (HSO_OK and an empty message).
typedef struct hso_error {
    hso_code code;      ///< what the call returned
    char message[508];  ///< ends with a zero; cut where it is too long
} hso_error;

/// hso_options::terminal: where the last network call's interval ends (hso::Terminal).
enum {
    HSO_TERMINAL_ZERO = 0,   ///< the step to sigma 0
    HSO_TERMINAL_T_MIN = 1,  ///< integration stops at t_min
    HSO_TERMINAL_SKIP = 2    ///< as T_MIN, but from the last call's node straight to sigma 0
};

/// hso_options::search (hso::Search).
enum {
    HSO_SEARCH_DEFAULT = 0,  ///< exact for MEP, bilevel for DM-NonUni
    HSO_SEARCH_EXACT = 1,    ///< the global optimum with a certificate
    HSO_SEARCH_BILEVEL = 2,  ///< differential evolution, the spacing as constraints
    HSO_SEARCH_PAPER = 3     ///< as published; needs NLopt
};

/// hso_options::local (hso::LocalSolver).
enum {
    HSO_LOCAL_DEFAULT = 0,  ///< newton for MEP, slsqp for DM-NonUni
    HSO_LOCAL_NEWTON = 1,   ///< safeguarded Newton
    HSO_LOCAL_SLSQP = 2     ///< needs NLopt
};

/// hso_options::objective (hso::LowerObjective).
enum {
    HSO_OBJECTIVE_MEP = 0,       ///< the midpoint error proxy
    HSO_OBJECTIVE_DM_NONUNI = 1  ///< DM-NonUni's bound; its search needs NLopt
};

/// hso_options::limits: the ends and the spacing where they are not given (hso::Limits).
enum {
    HSO_LIMITS_DEFAULT = 0,   ///< measured; published for HSO_SEARCH_PAPER and DM-NonUni
    HSO_LIMITS_MEASURED = 1,  ///< as the samples of five models ask for
    HSO_LIMITS_PUBLISHED = 2  ///< the paper's
};

/// hso_schedule::status: how a search ended (hso::Status). The schedule is valid in each.
enum {
    HSO_STATUS_CONVERGED = 0,        ///< the search met its tolerance
    HSO_STATUS_MAX_GENERATIONS = 1,  ///< the budget of generations was spent
    HSO_STATUS_UNCERTIFIED = 2,      ///< the gap asked for was not reached within the budget of work
    HSO_STATUS_COLLAPSED = 3,        ///< nodes lie as close together as they may
    HSO_STATUS_GIVEN = 4             ///< not searched: built from nodes
};

/// "Not given", for the numbers in hso_options that may be left out.
#define HSO_DEFAULT (-1.0)

/// What hso_optimize() is asked (hso::Options). hso_options_init() fills in the defaults.
typedef struct hso_options {
    uint32_t size;             ///< sizeof(hso_options)
    int32_t terminal;          ///< HSO_TERMINAL_...
    int32_t search;            ///< HSO_SEARCH_...
    int32_t local;             ///< HSO_LOCAL_...
    int32_t objective;         ///< HSO_OBJECTIVE_...
    int32_t limits;            ///< HSO_LIMITS_...
    int32_t threads;           ///< of the bilevel and the paper's search; 0: one per processor. The result does not depend on it.
    int32_t local_iterations;  ///< most objective evaluations of one lower-level solve
    uint64_t seed;             ///< of the bilevel and the paper's search
    double p;                  ///< eps~ = sigma^p / alpha; HSO_DEFAULT: 2, and 1 for VE (EDM)
    const double* proxy_lambda;  ///< eps~ as a table instead of p: `proxy_count` lambdas, strictly increasing; or NULL
    const double* proxy_value;   ///< and their values, above 0
    uint64_t proxy_count;        ///< at least 2; 0 for no table
    double gamma;                ///< weight of the spacing penalty, 0..1e100; HSO_DEFAULT: see hso::Options::gamma
    double gap;    ///< the relative gap to certify, > 0, where 2e-12 is the least that rounding allows; infinity: no certificate
    double d_min;  ///< least spacing in t, 0..1; HSO_DEFAULT: as `limits` says
    double rho_low;     ///< range of psi's rho
    double rho_high;    ///< its other end
    double t_min_low;   ///< range of the last optimized node's t; HSO_DEFAULT (both): as `limits` says
    double t_min_high;  ///< its other end
    double t_max_low;   ///< range of the first node's t; HSO_DEFAULT (both): as `limits` says
    double t_max_high;  ///< its other end
    /// NULL, or whether to stop the search (hso::ShouldStop): asked on the calling thread, once when the search begins, then about
    /// every 10 ms. Anything but 0 ends it with HSO_STOPPED. It may use the library, but not this call's workspace.
    int32_t (*should_stop)(void* data);
    void* should_stop_data;  ///< what it is given
} hso_options;

/// A schedule of nfe network calls (hso::Schedule): the caller's arrays, which the library fills, and its figures.
typedef struct hso_schedule {
    uint32_t size;        ///< in: sizeof(hso_schedule)
    uint32_t capacity;    ///< in: the number of doubles that each array below has room for; at least nfe + 1
    double* t;            ///< in: NULL, or gets nfe + 1 values, strictly decreasing; the last is 0 for terminals zero and skip
    double* lambdas;      ///< in: NULL, or gets nfe + 1 values, strictly increasing; the last is +infinity for zero and skip
    double* sigmas;       ///< in: NULL, or gets nfe + 1 values: VE sigma (flow: s); the last is 0 for zero and skip
    double* timesteps;    ///< in: NULL, or gets nfe values: what the network is told
    int32_t nfe;          ///< number of network calls
    int32_t terminal;     ///< HSO_TERMINAL_...
    int32_t status;       ///< HSO_STATUS_...
    int32_t generations;  ///< of differential evolution
    int64_t evaluations;  ///< lower-level objective evaluations
    double mep;           ///< the objective over the optimized nodes
    double penalty;       ///< gamma times the sum of the squared violations of the spacing
    double fitness;       ///< mep + penalty
    double rho;           ///< psi: of the start (NaN from hso_schedule_from_nodes)
    double t_min;         ///< psi: t of the last optimized node
    double t_max;         ///< psi: t of the first node
    double lower_bound;   ///< no schedule within the options has a lower fitness; NaN: not known
    double gap;           ///< (fitness - lower_bound) / |fitness|; NaN: not known
    double min_spacing;   ///< smallest distance in t of the optimized nodes; infinity for one node
    double d_min;         ///< the spacing that was asked for
    double elapsed;       ///< seconds
} hso_schedule;

/// A noise schedule (hso::NoiseSchedule).
typedef struct hso_noise hso_noise;

/// The memory that a search works in (hso::Workspace), and a schedule.
typedef struct hso_workspace hso_workspace;

/// The library's version, as HSO_VERSION of its headers; lives as long as the library.
HSO_EXPORT const char* hso_version(void);
/// The library's HSO_ABI_VERSION.
HSO_EXPORT uint32_t hso_abi_version(void);
/// 1 if the library was built with NLopt, else 0: then what needs NLopt is HSO_INVALID_ARGUMENT.
HSO_EXPORT int32_t hso_has_nlopt(void);

/// From `count` alphas_cumprod (hso::NoiseSchedule::from_alphas_cumprod). `*noise` is the caller's to free, NULL on failure;
/// so with the next ones.
HSO_EXPORT hso_code hso_noise_from_alphas_cumprod(const double* alphas_cumprod, size_t count, hso_noise** noise,
                                                  hso_error* error);
/// From `count` betas (hso::NoiseSchedule::from_betas).
HSO_EXPORT hso_code hso_noise_from_betas(const double* betas, size_t count, hso_noise** noise, hso_error* error);
/// Continuous VP with beta(t) linear (hso::NoiseSchedule::vp_linear).
HSO_EXPORT hso_code hso_noise_vp_linear(double beta_min, double beta_max, hso_noise** noise, hso_error* error);
/// Continuous VP cosine (hso::NoiseSchedule::vp_cosine).
HSO_EXPORT hso_code hso_noise_vp_cosine(double s, hso_noise** noise, hso_error* error);
/// Rectified flow (hso::NoiseSchedule::flow).
HSO_EXPORT hso_code hso_noise_flow(double shift, hso_noise** noise, hso_error* error);
/// EDM (hso::NoiseSchedule::edm).
HSO_EXPORT hso_code hso_noise_edm(double sigma_min, double sigma_max, hso_noise** noise, hso_error* error);
/// From `count` rows (t, alpha, sigma) (hso::NoiseSchedule::from_table).
HSO_EXPORT hso_code hso_noise_from_table(const double* t, const double* alpha, const double* sigma, size_t count,
                                         double num_train_timesteps, hso_noise** noise, hso_error* error);
/// Ends a noise schedule that no call is using; NULL is allowed.
HSO_EXPORT void hso_noise_free(hso_noise* noise);

/// Half log-SNR at `count` values of t. `out` may be `t` itself; it is written in part on failure. So with the next ones.
HSO_EXPORT hso_code hso_noise_lambda(const hso_noise* noise, const double* t, double* out, size_t count, hso_error* error);
/// t at `count` values of lambda.
HSO_EXPORT hso_code hso_noise_t(const hso_noise* noise, const double* lambda, double* out, size_t count, hso_error* error);
/// The signal's scale at `count` values of lambda.
HSO_EXPORT hso_code hso_noise_alpha(const hso_noise* noise, const double* lambda, double* out, size_t count, hso_error* error);
/// The noise's scale at `count` values of lambda.
HSO_EXPORT hso_code hso_noise_sigma(const hso_noise* noise, const double* lambda, double* out, size_t count, hso_error* error);
/// What the network is told at `count` values of lambda.
HSO_EXPORT hso_code hso_noise_timestep(const hso_noise* noise, const double* lambda, double* out, size_t count, hso_error* error);
/// The lowest and the highest t with a finite lambda.
HSO_EXPORT hso_code hso_noise_t_range(const hso_noise* noise, double* low, double* high, hso_error* error);

/// Fills in the defaults. `size` is sizeof(hso_options).
HSO_EXPORT hso_code hso_options_init(hso_options* options, size_t size, hso_error* error);

/// A workspace, the caller's to free; `*workspace` is NULL on failure.
HSO_EXPORT hso_code hso_workspace_create(hso_workspace** workspace, hso_error* error);
/// Ends a workspace that no call is using; NULL is allowed.
HSO_EXPORT void hso_workspace_free(hso_workspace* workspace);

/// Finds the schedule of `nfe` network calls (1..10000; HSO_LOCAL_SLSQP: 1..1000). `options` may be NULL: the defaults. A repeated call with one
/// workspace allocates no memory (see hso::optimize; a table of eps~ does). On failure `schedule` and its arrays are as they were.
HSO_EXPORT hso_code hso_optimize(const hso_noise* noise, int32_t nfe, const hso_options* options, hso_workspace* workspace,
                                 hso_schedule* schedule, hso_error* error);

/// A schedule from `count` nodes, strictly decreasing in t, without a search: nfe nodes for terminal zero, nfe + 1 for
/// the others. `options` may be NULL: the defaults.
HSO_EXPORT hso_code hso_schedule_from_nodes(const hso_noise* noise, const double* t, size_t count, const hso_options* options,
                                            hso_schedule* schedule, hso_error* error);

#ifdef __cplusplus
}
#endif
