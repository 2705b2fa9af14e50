"""Denoisers with closed forms for calibrations, and what a solver really does on them."""

from __future__ import annotations

import numpy as np

import hso
from hso._multistep import Multistep
from hso.network import CallableNetwork
from hso.trajectories import teacher
from reference_solvers import Levels, ddim, dpm_solver_pp, unipc

NOISES = {
    "vp": hso.NoiseSchedule.preset("sd21"),
    "flow": hso.NoiseSchedule.flow(shift=3.0),
    "ve": hso.NoiseSchedule.edm(),
}
SD = NOISES["vp"]
SIZE = 16
VARIANCES = 4.0 * np.arange(1.0, SIZE + 1.0) ** -1.3


def gaussian(noise=SD, variances=VARIANCES, mean=0.0):
    """E[x0 | x] for x0 ~ N(mean, diag(variances)); torch in, torch out."""

    def denoise(x, lam):
        alpha, sigma = noise.alpha(lam), noise.sigma(lam)
        gain = alpha * variances / (alpha**2 * variances + sigma**2)
        if not isinstance(x, np.ndarray):
            gain = x.new_tensor(gain)
        return mean + gain * (x - alpha * mean)

    return denoise


def calibrate(denoise=None, noise=SD, **options):
    return hso.calibrate(denoise or gaussian(noise), noise, **{"shape": (SIZE,), "budget": 600, **options})


def mixture():
    """The mixture's latent denoiser on 64 numbers; its noise schedule is SD's."""
    import models

    latent = models.load("mixture").mixture.latent
    return lambda x, lam: latent.denoise(x, SD.alpha(lam), SD.sigma(lam))


def levels(noise, lambdas, to_zero):
    lambdas = np.asarray(lambdas)
    alpha, sigma = np.asarray(noise.alpha(lambdas)), np.asarray(noise.sigma(lambdas))
    return Levels(np.append(alpha, 1.0), np.append(sigma, 0.0)) if to_zero else Levels(alpha, sigma)


def sample(denoise, noise, lambdas, eps, *, solver, order, to_zero=True):
    """The last x of tests/python/reference_solvers.py's solvers, started where pipelines do."""
    path = levels(noise, lambdas, to_zero)
    x = eps * noise.sigma(float(lambdas[0])) if noise.family == "ve" else eps

    def predict(x, i):
        return denoise(x, float(lambdas[i]))

    if solver == "ddim":
        return ddim(path, predict, x)
    if solver == "unipc":
        return unipc(path, predict, x, order=order)
    return dpm_solver_pp(path, predict, x, order=order, first_order_end=to_zero or path.steps < 15)


def held_out(denoise, noise, size, count=192, nodes=96, seed=12345):
    """Noise that no calibration has seen, and the images that a long run gives from it."""
    followed = teacher(CallableNetwork(denoise, noise, shape=(size,)), count=count, nodes=nodes, seed=seed)
    return followed.eps, followed.x0[-1]


def true_error(denoise, profile, schedule, eps, final):
    """The mean over samples of the RMS error of an image."""
    to_zero = schedule.terminal != "t_min"
    lambdas = schedule.lambdas[: schedule.steps] if to_zero else schedule.lambdas
    images = sample(denoise, profile.noise, lambdas, eps, solver=profile.solver, order=profile.order, to_zero=to_zero)
    return float(np.sqrt(np.mean((images - final) ** 2, axis=1)).mean())


def solver_of(profile):
    return Multistep(profile.solver, profile.order)
