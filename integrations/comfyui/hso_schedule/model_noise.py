"""The noise schedule of a loaded model, read from its table of sigmas."""

import numpy as np

from .package import hso


def noise_schedule(model):
    """The hso.NoiseSchedule that `model`, a MODEL of ComfyUI with all its patches, runs.

    It is read from the numbers, not from the name of the model: a ModelSampling node upstream counts.

    Raises:
        ValueError: there is no table of sigmas to read.
        ImportError: hso is missing.
    """
    sampling = model.get_model_object("model_sampling")
    if _is(sampling, "ModelSamplingContinuousEDM"):
        return hso().NoiseSchedule.edm(sigma_min=float(sampling.sigma_min), sigma_max=float(sampling.sigma_max))
    table = getattr(sampling, "sigmas", None)
    if table is None:
        raise ValueError(
            f"{type(sampling).__name__} has no table of sigmas to read: use the node HSO Schedule with a preset"
        )
    sigmas = np.unique(np.asarray(table.detach().cpu().double()))
    if sigmas.size < 2 or not np.all(np.isfinite(sigmas)) or sigmas[0] <= 0:
        raise ValueError(f"{type(sampling).__name__}'s table of sigmas has {sigmas.size} different values: too few")
    if is_flow(sampling) and sigmas[-1] <= 1.0:
        return _flow(sigmas)
    return hso().NoiseSchedule.from_alphas_cumprod(1.0 / (1.0 + sigmas**2))


def is_flow(sampling):
    """Whether latents are (1 - sigma) x0 + sigma noise."""
    return _is(sampling, "CONST")


def _is(sampling, name):
    return any(base.__name__ == name for base in type(sampling).__mro__)


def _flow(sigmas):
    # s = shift u / (1 + (shift - 1) u) on u = 1/n, 2/n, ..., 1; the ends of a float32 table say little of the shift.
    n = sigmas.size
    u = np.arange(1, n + 1) / n
    middle = slice(n // 4, max(n // 4 + 1, 3 * n // 4))
    s, u = sigmas[middle], u[middle]
    shifts = s * (1.0 - u) / (u * (1.0 - s))
    shift = float(np.median(shifts))
    if np.max(np.abs(shifts / shift - 1.0)) < 1e-3:
        return hso().NoiseSchedule.flow(shift=shift)
    levels = sigmas[sigmas < 1.0]
    return hso().NoiseSchedule.from_table(levels, 1.0 - levels, levels)
