"""The nodes. Each gives SIGMAS for SamplerCustom and SamplerCustomAdvanced."""

import hashlib

import torch

from . import files
from .model_noise import is_flow, noise_schedule
from .package import hso, missing

TERMINALS = ("zero", "t_min", "skip")
SEARCHES = ("exact", "bilevel", "paper")


def _common_inputs():
    return {
        "nfe": (
            "INT",
            {"default": 5, "min": 1, "max": 200, "tooltip": "Network calls, one a step (heun and dpm_2 make two)."},
        ),
        "terminal": (
            TERMINALS,
            {"tooltip": "zero: the last step goes to sigma 0. t_min stops before and leaves noise. skip: see README."},
        ),
        "search": (SEARCHES, {"tooltip": "exact: the global optimum. bilevel, paper: the published search."}),
        "denoise": (
            "FLOAT",
            {
                "default": 1.0,
                "min": 0.01,
                "max": 1.0,
                "step": 0.01,
                "tooltip": "Below 1 for image to image: where the steps begin. All of them are kept.",
            },
        ),
        "seed": ("INT", {"default": 0, "min": 0, "max": 2**31 - 1, "tooltip": "Of the searches bilevel and paper."}),
    }


def _search(noise, nfe, terminal, search, denoise, seed):
    limits = {}
    if denoise < 1.0:
        first = noise.shifted(denoise)
        limits["t_max"] = (first, first)
    return hso().optimize(noise, nfe=nfe, terminal=terminal, search=search, seed=seed, **limits)


def _sigmas(schedule):
    return (torch.tensor(schedule.sigmas, dtype=torch.float32),)


class _ScheduleNode:
    RETURN_TYPES = ("SIGMAS",)
    FUNCTION = "sigmas"
    CATEGORY = "sampling/custom_sampling/schedulers"


class HSOSchedule(_ScheduleNode):
    """A schedule for a model that HSO knows by name."""

    DESCRIPTION = "Optimized sigmas for few steps, for a model known by name."

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - ComfyUI's name
        size = {"default": 0, "min": 0, "max": 2**15, "step": 8, "tooltip": "flux-dev, qwen-image, ltx; 0: the usual"}
        return {
            "required": {
                "preset": (["sd15"] if missing() else hso().presets.names(), {"default": "sd15"}),
                **_common_inputs(),
            },
            "optional": {
                "width": ("INT", size),
                "height": ("INT", size),
                "num_frames": ("INT", {"default": 0, "min": 0, "max": 10000, "tooltip": "ltx; 0: the usual"}),
                "shift": (
                    "FLOAT",
                    {"default": 0.0, "min": 0.0, "max": 100.0, "step": 0.01, "tooltip": "Flow models; 0: the model's"},
                ),
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, preset):  # noqa: N802 - ComfyUI's name
        # Taking `preset` turns ComfyUI's own check against the menu off, which is short without hso.
        problem = missing()
        if problem:
            return problem
        known = hso().presets.names()
        if preset is None or preset in known:  # None: another node gives it
            return True
        return f"preset must be one of {', '.join(known)}, got {preset!r}"

    def sigmas(self, preset, nfe, terminal, search, denoise=1.0, seed=0, width=0, height=0, num_frames=0, shift=0.0):
        given = {"width": width, "height": height, "num_frames": num_frames, "shift": shift}
        noise = hso().NoiseSchedule.preset(preset, **{name: value for name, value in given.items() if value})
        return _sigmas(_search(noise, nfe, terminal, search, denoise, seed))


class HSOScheduleForModel(_ScheduleNode):
    """A schedule for the model that is connected, whatever it is."""

    DESCRIPTION = "Optimized sigmas for few steps, for the noise schedule of the connected model."

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - ComfyUI's name
        return {"required": {"model": ("MODEL",), **_common_inputs()}}

    def sigmas(self, model, nfe, terminal, search, denoise=1.0, seed=0):
        return _sigmas(_search(noise_schedule(model), nfe, terminal, search, denoise, seed))


class HSOScheduleFile(_ScheduleNode):
    """A schedule that hso has saved, such as one calibrated to the model."""

    DESCRIPTION = "Sigmas of a schedule file in the input folder (schedule.save, hso optimize)."

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - ComfyUI's name
        return {
            "required": {"file": (files.names(),)},
            "optional": {
                "model": (
                    "MODEL",
                    {"tooltip": "A file for another family, or from above its highest sigma, is refused."},
                )
            },
        }

    @classmethod
    def IS_CHANGED(cls, file, model=None):  # noqa: N802 - ComfyUI's name
        with open(files.path_of(file), "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()

    @classmethod
    def VALIDATE_INPUTS(cls, file):  # noqa: N802 - ComfyUI's name
        try:
            if file is not None:  # another node gives it
                files.path_of(file)
        except ValueError as error:
            return str(error)
        return missing() or True

    def sigmas(self, file, model=None):
        schedule = hso().Schedule.load(files.path_of(file))
        if model is not None:
            _check_fit(schedule, model)
        if schedule.gain != 1.0:
            raise ValueError(
                f"the schedule's gain must be 1 in ComfyUI, got {schedule.gain:.6g}: SIGMAS cannot carry it"
            )
        return _sigmas(schedule)


def _check_fit(schedule, model):
    sampling = model.get_model_object("model_sampling")
    if is_flow(sampling) != (schedule.family == "flow"):
        kind = "a flow" if is_flow(sampling) else "no flow"
        raise ValueError(
            f"the schedule is for a model of family {schedule.family!r}, the connected one is {kind} model"
        )
    highest = float(sampling.sigma_max)
    if schedule.sigmas[0] > 1.01 * highest:
        raise ValueError(
            f"the schedule starts at sigma {schedule.sigmas[0]:.4g}, the connected model's highest is {highest:.4g}"
        )
