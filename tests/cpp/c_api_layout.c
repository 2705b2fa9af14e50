#include "c_api_layout.h"

#include <hso/hso.h>

#define MEMBER(type, name) \
    { #type "." #name, offsetof(type, name) }
#define SIZE(type) \
    { #type, sizeof(type) }

const struct layout_entry layout[] = {
    MEMBER(hso_error, code),
    MEMBER(hso_error, message),
    SIZE(hso_error),
    MEMBER(hso_options, size),
    MEMBER(hso_options, terminal),
    MEMBER(hso_options, search),
    MEMBER(hso_options, local),
    MEMBER(hso_options, objective),
    MEMBER(hso_options, limits),
    MEMBER(hso_options, threads),
    MEMBER(hso_options, local_iterations),
    MEMBER(hso_options, seed),
    MEMBER(hso_options, p),
    MEMBER(hso_options, proxy_lambda),
    MEMBER(hso_options, proxy_value),
    MEMBER(hso_options, proxy_count),
    MEMBER(hso_options, gamma),
    MEMBER(hso_options, gap),
    MEMBER(hso_options, d_min),
    MEMBER(hso_options, rho_low),
    MEMBER(hso_options, rho_high),
    MEMBER(hso_options, t_min_low),
    MEMBER(hso_options, t_min_high),
    MEMBER(hso_options, t_max_low),
    MEMBER(hso_options, t_max_high),
    MEMBER(hso_options, should_stop),
    MEMBER(hso_options, should_stop_data),
    SIZE(hso_options),
    MEMBER(hso_schedule, size),
    MEMBER(hso_schedule, capacity),
    MEMBER(hso_schedule, t),
    MEMBER(hso_schedule, lambdas),
    MEMBER(hso_schedule, sigmas),
    MEMBER(hso_schedule, timesteps),
    MEMBER(hso_schedule, nfe),
    MEMBER(hso_schedule, terminal),
    MEMBER(hso_schedule, status),
    MEMBER(hso_schedule, generations),
    MEMBER(hso_schedule, evaluations),
    MEMBER(hso_schedule, mep),
    MEMBER(hso_schedule, penalty),
    MEMBER(hso_schedule, fitness),
    MEMBER(hso_schedule, rho),
    MEMBER(hso_schedule, t_min),
    MEMBER(hso_schedule, t_max),
    MEMBER(hso_schedule, lower_bound),
    MEMBER(hso_schedule, gap),
    MEMBER(hso_schedule, min_spacing),
    MEMBER(hso_schedule, d_min),
    MEMBER(hso_schedule, elapsed),
    SIZE(hso_schedule),
};

const size_t layout_entries = sizeof layout / sizeof layout[0];
