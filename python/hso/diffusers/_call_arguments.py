"""What a pipeline is called with for some samples of a batch."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._libraries import load

# They say how many samples a call makes, where it starts and at which levels it asks: that is the caller's part here.
_RESERVED = (
    "batch_size",
    "denoising_end",
    "denoising_start",
    "generator",
    "latents",
    "num_images_per_prompt",
    "num_inference_steps",
    "num_videos_per_prompt",
    "num_waveforms_per_prompt",
    "output_type",
    "return_dict",
    "sigmas",
    "strength",
    "timesteps",
)
_PER_SAMPLE = re.compile(r"(negative_)?(pooled_)?(prompt|image(_embeds)?$)|class_labels$")


class CallArguments:
    """The arguments of a pipeline's call, for any samples.

    What belongs to one sample each (prompts and their embeddings, images, class labels) is cycled through: sample i
    gets entry i modulo their number. A single text or image is everyone's.

    Args:
        pipe: the pipeline.
        given: the user's arguments.

    Raises:
        ValueError: an argument is one of those that are set here, or holds nothing; the pipeline takes no generator or
            no number of steps.
    """

    def __init__(self, pipe: Any, given: Mapping[str, Any]) -> None:
        reserved = sorted(set(_RESERVED).intersection(given))
        if reserved:
            raise ValueError(f"call must not hold {', '.join(reserved)}, which calibration sets itself or cannot use")
        self._given = dict(given)
        self._parameters = inspect.signature(pipe).parameters
        for name in ("generator", "num_inference_steps"):
            if name not in self._parameters:
                raise ValueError(f"source: {type(pipe).__name__} takes no {name}, which is needed")
        self._per_sample = [name for name in given if _PER_SAMPLE.match(name) and _is_per_sample(given[name])]
        for name in self._per_sample:
            if not isinstance(given[name], str) and hasattr(given[name], "__len__") and len(given[name]) == 0:
                raise ValueError(f"call: {name} must not be empty")

    @property
    def one_by_one(self) -> bool:
        """Whether it takes only one generator, so that samples drawn together would depend on each other."""
        return "list" not in str(self._parameters["generator"].annotation).lower()

    def for_samples(self, samples: range, seed: int, steps: int) -> dict[str, Any]:
        """All arguments for ``samples`` in ``steps`` steps; the noise of sample i depends on (seed, i) alone."""
        generators = [_generator(seed, i) for i in samples]
        arguments = {
            **self._given,
            **{name: _taken(self._given[name], samples) for name in self._per_sample},
            "num_inference_steps": steps,
            "generator": generators[0] if len(samples) == 1 else generators,
        }
        if "output_type" in self._parameters:
            arguments["output_type"] = "latent"  # nothing is decoded
        if "batch_size" in self._parameters:
            arguments["batch_size"] = len(samples)
        return arguments


def _is_per_sample(value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping | bool | int | float)


def _taken(value: Any, samples: range) -> Any:
    """The entries of ``value`` for ``samples``, cycled through."""
    if isinstance(value, list | tuple):
        return [value[i % len(value)] for i in samples]
    if hasattr(value, "ndim"):  # tensors and arrays
        return value[[i % len(value) for i in samples]]
    return value if len(samples) == 1 else [value] * len(samples)


def _generator(seed: int, sample: int) -> Any:
    # On the CPU: pipelines move its noise to their device, and it is the same on all.
    state = np.random.SeedSequence([seed, sample]).generate_state(1, np.uint64)
    return load("torch").Generator("cpu").manual_seed(int(state[0]))
