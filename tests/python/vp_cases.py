"""Schedulers for variance-preserving tables, in every setting that changes what they compute."""

from __future__ import annotations

from typing import Any

from scheduler_cases import (
    EULER_ANCESTRAL,
    HEUN,
    KDPM2,
    KDPM2_ANCESTRAL,
    LMS,
    Case,
    deis_multistep,
    dpm_multistep,
    dpm_singlestep,
    sa_multistep,
    unipc_multistep,
)

TO_ZERO = ("zero", "skip")
MULTI, SINGLE = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"


def dpm(name: str, algorithm: str, order: int, kind: str = "midpoint") -> Case:
    """DPM-Solver's case for an algorithm_type."""
    data, tau = algorithm.endswith("++"), 1.0 if algorithm.startswith("sde") else 0.0
    reference = dpm_multistep if name == MULTI else dpm_singlestep
    config = {"algorithm_type": algorithm, "solver_order": order, "solver_type": kind}
    if not data:
        config["final_sigmas_type"] = "sigma_min"  # or the class raises
    return Case(
        name,
        reference(order, data=data, midpoint=kind == "midpoint", tau=tau),
        config,
        refused=() if data else TO_ZERO,
        stochastic=tau > 0.0,
    )


def sa(predictor: int, corrector: int, tau: Any, algorithm: str = "data_prediction") -> Case:
    config = {"predictor_order": predictor, "corrector_order": corrector, "algorithm_type": algorithm}
    if tau is not None:
        config["tau_func"] = tau
    tau = tau or (lambda timestep: 200 <= timestep <= 800)  # the class's default
    reference = sa_multistep(predictor, corrector, tau, data=algorithm == "data_prediction")
    return Case("SASolverScheduler", reference, config, refused=TO_ZERO, stochastic=True)


def unipc_case(order: int, **config: Any) -> Case:
    reference = unipc_multistep(order, data=config.get("predict_x0", True), b=config.get("solver_type", "bh2"))
    return Case("UniPCMultistepScheduler", reference, {"solver_order": order, **config}, refused=TO_ZERO)


CASES = {
    "dpm++ 2 heun": dpm(MULTI, "dpmsolver++", 2, "heun"),
    "dpm++ 3": dpm(MULTI, "dpmsolver++", 3),
    "dpm 1": dpm(MULTI, "dpmsolver", 1),
    "dpm 2 midpoint": dpm(MULTI, "dpmsolver", 2),
    "dpm 2 heun": dpm(MULTI, "dpmsolver", 2, "heun"),
    "dpm 3": dpm(MULTI, "dpmsolver", 3),
    "sde-dpm++ 1": dpm(MULTI, "sde-dpmsolver++", 1),
    "sde-dpm++ 2 midpoint": dpm(MULTI, "sde-dpmsolver++", 2),
    "sde-dpm++ 2 heun": dpm(MULTI, "sde-dpmsolver++", 2, "heun"),
    "sde-dpm++ 3": dpm(MULTI, "sde-dpmsolver++", 3),
    "sde-dpm 1": dpm(MULTI, "sde-dpmsolver", 1),
    "sde-dpm 2 midpoint": dpm(MULTI, "sde-dpmsolver", 2),
    "sde-dpm 2 heun": dpm(MULTI, "sde-dpmsolver", 2, "heun"),
    "single dpm++ 1": dpm(SINGLE, "dpmsolver++", 1),
    "single dpm++ 2 midpoint": dpm(SINGLE, "dpmsolver++", 2),
    "single dpm++ 2 heun": dpm(SINGLE, "dpmsolver++", 2, "heun"),
    "single dpm++ 3 midpoint": dpm(SINGLE, "dpmsolver++", 3),
    "single dpm++ 3 heun": dpm(SINGLE, "dpmsolver++", 3, "heun"),
    "single dpm 2 midpoint": dpm(SINGLE, "dpmsolver", 2),
    "single dpm 3 midpoint": dpm(SINGLE, "dpmsolver", 3),
    "single dpm 3 heun": dpm(SINGLE, "dpmsolver", 3, "heun"),
    "single sde-dpm++ 1": dpm(SINGLE, "sde-dpmsolver++", 1),
    "single sde-dpm++ 2 midpoint": dpm(SINGLE, "sde-dpmsolver++", 2),
    "single sde-dpm++ 3 heun": dpm(SINGLE, "sde-dpmsolver++", 3, "heun"),
    "unipc 2 bh1": unipc_case(2, solver_type="bh1"),
    "unipc 3 bh1": unipc_case(3, solver_type="bh1"),
    "unipc 2 noise": unipc_case(2, predict_x0=False),
    "unipc 3 noise": unipc_case(3, predict_x0=False),
    **{
        f"deis {order}": Case("DEISMultistepScheduler", deis_multistep(order), {"solver_order": order}, refused=TO_ZERO)
        for order in (1, 2, 3)
    },
    "sa 2, 2": sa(2, 2, None),
    "sa 1, 1 tau 1": sa(1, 1, lambda timestep: 1),
    "sa 3, 4 tau 0": sa(3, 4, lambda timestep: 0),
    "sa 4, 3 tau 0.5": sa(4, 3, lambda timestep: 0.5),
    "sa noise 2, 2": sa(2, 2, None, "noise_prediction"),
    "euler ancestral": Case("EulerAncestralDiscreteScheduler", EULER_ANCESTRAL, stochastic=True),
    "heun": Case("HeunDiscreteScheduler", HEUN, two_calls=True),
    "kdpm2": Case("KDPM2DiscreteScheduler", KDPM2, two_calls=True),
    "kdpm2 ancestral": Case("KDPM2AncestralDiscreteScheduler", KDPM2_ANCESTRAL, stochastic=True, two_calls=True),
    "lms": Case("LMSDiscreteScheduler", LMS),
}
