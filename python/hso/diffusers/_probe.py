"""A pipeline as a network: asked, with its own prompts and guidance, at any noise levels.

The pipeline is called as ever; its scheduler passes what the pipeline makes of its network to a program, and the
program's x to the pipeline as the next latents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np

from hso._memory import Parts, free_memory, is_out_of_memory
from hso.checks import as_integer
from hso.network import Program, ProgramRun, check_finite, checked_levels
from hso.noise_schedule import core_noise

from ._call_arguments import CallArguments
from ._checks import check_family, check_noise
from ._handover import Handover
from ._libraries import load
from ._noise import noise_family, noise_schedule
from ._prediction import Prediction
from ._scheduled import STATE, Applied, Scheduled, become, blank, plain_twin
from ._target import is_scheduler, scheduler_of, setting

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule

T = TypeVar("T")

PROBE = "_hso_probe"
TOLERANCE = 1e-4  # of sigma at a timestep, between the noise schedule and the scheduler's: as for `apply`


class PipelineNetwork:
    """A diffusers pipeline as a Network: its x0 is that of the guided prediction, not clipped or thresholded.

    A program's x are the pipeline's latents, in whatever shape it keeps them (packed by Flux): (n, *shape), float32.
    The first are its own noise. The network is told ``noise.timestep(lam)``, fractional, rounded only where the
    pipeline itself does so (Flux and others in half precision). For the time of a call the scheduler runs the program;
    then it is what it was, also after an exception.

    ``evaluations`` counts samples, each answered once at every level; where guidance asks the network with and without
    the prompt, its work is twice that. A part of the batch that ran out of memory is repeated in halves, and counts
    once.

    Refused, at the latest when they are first called, are pipelines that start from an image in noise (image to image,
    inpainting), change the latents between steps, tell different parts of a sample different timesteps, or have
    several schedulers.

    Args:
        pipe: the pipeline, on its device.
        call: what it is called with: prompt, negative_prompt, guidance_scale, height, width and so on. Lists of
            prompts, their embeddings, images and class labels are cycled through, sample i getting entry i modulo
            their number. What says how many samples, steps and levels are drawn is left out.
        noise: the noise schedule; None reads it from the scheduler, with the width, height and num_frames of ``call``
            where it depends on them.
        batch: the largest number of samples in one call of the pipeline, 1 or more. Pipelines that take only one
            generator are called for one sample at a time.

    Raises:
        ValueError: an argument is impossible, or the pipeline's scheduler or prediction type is not supported.
        TypeError: ``pipe`` is no pipeline.
        ImportError: torch is missing.
    """

    def __init__(
        self,
        pipe: Any,
        call: Mapping[str, Any] | None = None,
        *,
        noise: NoiseSchedule | None = None,
        batch: int = 1,
    ) -> None:
        load("torch")
        _refuse_several_schedulers(pipe)
        self.evaluations = 0
        self.noise = _noise_of(pipe, call or {}) if noise is None else noise
        core_noise(self.noise)
        self._pipe = pipe
        self._arguments = CallArguments(pipe, call or {})
        batch = as_integer("batch", batch, least=1)
        self._limit = 1 if self._arguments.one_by_one else batch
        Prediction(scheduler_of(pipe), self.noise)

    def run(self, program: Program[T], count: int, seed: int) -> list[T]:
        """Run ``program`` on ``count`` samples, 1 or more, of the pipeline's own noise from ``seed``, 0 or more.

        The noise of sample i depends on (seed, i) alone.

        Returns:
            The program's result for each call of the pipeline, in order.

        Raises:
            ValueError: a level lies outside the noise schedule's range, or the noise schedule is not the scheduler's
                (before the pipeline is called); the pipeline is one of those that are refused; its prediction holds
                NaN or infinity; the program yields too few or too many x, or does not start at ``initial``.
            MemoryError: there is too little memory for one sample.
        """
        lambdas = checked_levels(self.noise, program.lambdas)
        count = as_integer("count", count, least=1)
        seed = as_integer("seed", seed, least=0, most=2**63 - 1)
        handover = _handover(self.noise, lambdas)
        plain = plain_twin(scheduler_of(self._pipe))
        family = noise_family(plain)
        check_family(plain, handover, family)
        check_noise(plain, handover, family, TOLERANCE)
        prediction = Prediction(plain, self.noise)

        results = []
        parts = Parts(count, self._limit)
        for part in parts:
            probe = Probe(program, self.noise, lambdas, prediction, part.stop - part.start)
            error = self._attempt(probe, handover, range(part.start, part.stop), seed)
            if error is not None:
                parts.halve(error, type(self._pipe).__name__)
                self._limit = cast(int, parts.limit)
                free_memory()
            else:
                results.append(probe.result)
                self.evaluations += probe.count * len(lambdas)
        return results

    def _attempt(self, probe: Probe[T], handover: Handover, samples: range, seed: int) -> Exception | None:
        """Call the pipeline once; return the error where memory ran out."""
        arguments = self._arguments.for_samples(samples, seed, handover.steps)
        try:
            with _probing(scheduler_of(self._pipe), handover, probe):
                self._pipe(**arguments)
            probe.check_end(type(self._pipe).__name__)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            # its frames hold the tensors of the failed call
            return error.with_traceback(None)
        finally:
            probe.close()
        return None


class Probe(Generic[T]):
    """A program's run on one call of a pipeline, from the scheduler's side.

    Attributes:
        count: how many samples the call is to make.
    """

    def __init__(
        self, program: Program[T], noise: NoiseSchedule, lambdas: list[float], prediction: Prediction, count: int
    ) -> None:
        self.count = count
        self._program = program
        self._noise = noise
        self._lambdas = lambdas
        self._prediction = prediction
        self._index = 0
        self._run: ProgramRun[T] | None = None
        self._returned: Any = None

    @property
    def result(self) -> T:
        """What the program returned."""
        return cast("ProgramRun[T]", self._run).result

    @property
    def first_scale(self) -> float:
        """What the pipeline multiplies its noise with."""
        return self._prediction.first_scale(self._lambdas[0])

    @property
    def input_scale(self) -> float:
        """What the latents are multiplied with for the network in this step."""
        return self._prediction.input_scale(self._lambdas[min(self._index, len(self._lambdas) - 1)])

    def step(self, output: Any, sample: Any) -> tuple[Any, Any]:
        """Answer the program; return its next x and the x0 of this step, as latents like ``sample``."""
        torch = load("torch")
        copies = self._copies(sample)
        if self._run is None:
            self._run = self._begin(sample[: self.count])
        elif sample.shape != self._returned.shape or not bool((sample == self._returned).all()):
            raise ValueError(
                f"source: the pipeline changes the latents between steps (before step {self._index}): not supported"
            )
        lam = self._lambdas[self._index]
        if output.ndim > 1 and output.shape[1] == 2 * sample.shape[1]:
            output = output[:, : sample.shape[1]]  # the others are variances
        if output.shape != sample.shape:
            raise ValueError(
                f"source: the pipeline's prediction has shape {tuple(output.shape)}, its latents {tuple(sample.shape)}"
            )
        x0 = self._prediction.x0(sample[: self.count].float(), output[: self.count].float(), lam)
        answer = x0.to("cpu", torch.float32, copy=True).numpy()
        check_finite(answer, lam, "the pipeline")
        self._run.send(answer)
        self._index += 1
        x0 = torch.cat([x0.to(sample.dtype)] * copies)
        if self._index == len(self._lambdas):
            return x0, x0
        x = torch.from_numpy(np.array(self._run.x, dtype=np.float32)).to(sample.device, sample.dtype)
        self._returned = torch.cat([x] * copies)
        return self._returned, x0

    def check_asked(self, timestep: Any, told: Any) -> None:
        """Raise ValueError unless a step is due, and is made with the timestep that is its."""
        if self._index == len(self._lambdas):
            raise ValueError(f"source: the pipeline makes more than the {self._index} steps that it was told to make")
        asked = np.ravel(np.asarray(timestep.detach().float().cpu() if hasattr(timestep, "detach") else timestep))
        due = float(told[self._index])
        # half precision rounds it by up to 0.4 %
        if asked.size != 1 or not abs(float(asked[0]) - due) <= 1e-3 + abs(due) / 128.0:
            shown = f"{float(asked[0]):.6g}" if asked.size == 1 else f"{asked.size} timesteps"
            raise ValueError(
                f"source: the pipeline makes step {self._index} with {shown} in place of the timestep {due:.6g}: "
                "pipelines that skip timesteps, or tell parts of a sample different ones, are not supported"
            )

    def check_end(self, name: str) -> None:
        """Raise ValueError unless all steps were made."""
        if self._index < len(self._lambdas):
            raise ValueError(f"source: {name} made {self._index} of {len(self._lambdas)} steps with its scheduler")

    def close(self) -> None:
        """Close the program's generator."""
        if self._run is not None:
            self._run.close()

    def _copies(self, sample: Any) -> int:
        """1, or 2 where the pipeline steps latents that it has doubled for guidance (DiT)."""
        halves = sample[: self.count], sample[self.count :]
        if len(sample) == 2 * self.count and bool((halves[0] == halves[1]).all()):
            return 2
        if len(sample) != self.count:
            raise ValueError(
                f"source: a call of the pipeline makes {len(sample)} samples in place of {self.count}; with batch=1 it "
                "must make one"
            )
        return 1

    def _begin(self, sample: Any) -> ProgramRun[T]:
        eps = sample.to("cpu", load("torch").float32, copy=True).numpy() / np.float32(self.first_scale)
        return ProgramRun(self._program, self._noise, self._lambdas, eps)


class Probing(Scheduled):
    """Mixin that goes before a diffusers scheduler class: its steps are those of a `Probe`."""

    @property
    def init_noise_sigma(self) -> float:
        """What pipelines multiply unit noise with."""
        return cast(float, vars(self)[PROBE].first_scale)

    def scale_model_input(self, sample: Any, timestep: Any = None) -> Any:
        """Return what the network is shown."""
        scale: float = vars(self)[PROBE].input_scale
        return sample if scale == 1.0 else sample * scale

    def step(
        self, model_output: Any, timestep: Any, sample: Any, *others: Any, return_dict: bool = True, **options: Any
    ) -> Any:
        """Hand the prediction over, and return the latents that are asked for next; no option has an effect."""
        if others or options.get("per_token_timesteps") is not None:
            raise ValueError(
                f"source: a pipeline that calls {type(self).__name__}.step with more than one timestep or prediction "
                "is not supported"
            )
        probe: Probe[Any] = vars(self)[PROBE]
        probe.check_asked(timestep, vars(self)[STATE].handover.timesteps)
        following, x0 = probe.step(model_output, sample)
        if return_dict:
            return SimpleNamespace(prev_sample=following, pred_original_sample=x0)
        return following, x0

    def add_noise(self, *_: Any, **__: Any) -> Any:
        """Refuse an image as the start."""
        raise ValueError("source: pipelines that put noise on an image (image to image, inpainting) are not supported")

    scale_noise = add_noise

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Refuse a copy: the program runs once."""
        raise ValueError("source: pipelines that copy their scheduler are not supported")


class _Levels:
    """Installs the program's levels."""

    def reset(self, scheduler: Any, device: Any, mu: float | None) -> None:
        """There is no solver."""

    def install(self, scheduler: Any, handover: Handover, device: Any) -> None:
        """Write timesteps and noise levels, in float32 as schedulers have them."""
        torch = load("torch")
        scheduler.timesteps = torch.tensor(handover.timesteps, dtype=torch.float32, device=device)
        scheduler.sigmas = torch.tensor(handover.sigmas, dtype=torch.float32)
        scheduler.num_inference_steps = handover.steps


@contextmanager
def _probing(scheduler: Any, handover: Handover, probe: Probe[Any]) -> Iterator[None]:
    """Let ``scheduler`` run ``probe``; it is what it was when the context is left."""
    saved = object.__new__(type(scheduler))
    vars(saved).update(vars(scheduler))
    plain = plain_twin(scheduler)
    staged = blank(type(plain), Probing)
    vars(staged).update(vars(plain))
    levels = _Levels()
    vars(staged)[STATE] = Applied(cast("Schedule", None), handover, levels, dict(vars(plain)), None)
    vars(staged)[PROBE] = probe
    levels.install(staged, handover, None)
    become(scheduler, staged)
    try:
        yield
    finally:
        become(scheduler, saved)


def _handover(noise: NoiseSchedule, lambdas: list[float]) -> Handover:
    """The levels as schedulers know them; their order is the program's."""
    lam = np.array(lambdas)
    sigmas = np.asarray(noise.sigma(lam)) if noise.family == "flow" else np.exp(-lam)
    return Handover(
        sigmas=np.append(sigmas, 0.0),
        timesteps=np.asarray(noise.timestep(lam)),
        t=np.append(np.asarray(noise.t(lam)), 0.0),
        terminal="zero",
        family=noise.family,
        gain=1.0,
    )


def _noise_of(pipe: Any, call: Mapping[str, Any]) -> NoiseSchedule:
    """The scheduler's noise schedule, for the image size of the call where it depends on that."""
    scheduler = scheduler_of(pipe)
    if noise_family(scheduler) != "flow" or not setting(scheduler, "use_dynamic_shifting", False):
        return noise_schedule(pipe)
    size = {name: call[name] for name in ("width", "height", "num_frames") if call.get(name) is not None}
    try:
        return noise_schedule(pipe, **size)
    except ValueError as error:
        raise ValueError(
            f"noise must be given, or width and height in call, for a {type(pipe).__name__} whose shift depends on the "
            f"image size: {error}"
        ) from error


def _refuse_several_schedulers(pipe: Any) -> None:
    components = getattr(pipe, "components", {})
    names = [name for name, part in components.items() if is_scheduler(part)]
    if len(names) > 1:
        raise ValueError(f"source: {type(pipe).__name__} has several schedulers ({', '.join(names)}): not supported")
