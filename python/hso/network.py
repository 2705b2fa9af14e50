"""The network that a calibration asks: a function of yours or a diffusers pipeline behind one interface.

A network predicts x0: from x = alpha x0 + sigma eps at half log-SNR lam it gives an estimate of x0. What is asked of it
is written as a `Program`, a generator that does not know where its answers come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from ._memory import Parts, free_memory, is_out_of_memory
from .checks import as_integer, as_number
from .noise_schedule import NoiseSchedule, core_noise

T = TypeVar("T")
Denoise: TypeAlias = Callable[[Any, float], Any]
"""denoise(x, lam) -> x0: x and x0 (n, *shape), lam a float; samples of a batch must not depend on each other."""
FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]

# Where a program starts may be off by what float32 makes of it, and the ends of a range by what float64 does.
_START_TOLERANCE = 1e-4
_RANGE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Program(Generic[T]):
    """A computation that asks the network at noise levels known in advance.

    Attributes:
        lambdas: the half log-SNR of each request, in this order; any order and repetitions are allowed.
        steps: called with standard normal noise eps (n, *shape), returns a generator that yields x (n, *shape) at
            lambdas[0], is sent x0 (n, *shape), yields x at lambdas[1], and so on; what it returns after the last x0
            is its result. Its first x must be `initial(noise, eps, lambdas[0])`. Samples must not depend on each
            other: it may be run on parts of the batch, one after the other, and on one part again where memory ran
            out. Arrays that it is handed are its own.
    """

    lambdas: Sequence[float]
    steps: Callable[[FloatArray], Generator[FloatArray, FloatArray, T]]


@runtime_checkable
class Network(Protocol):
    """A network that runs programs.

    Attributes:
        noise: the noise levels that it was trained on.
        evaluations: how many single samples it has answered so far.
    """

    noise: NoiseSchedule
    evaluations: int

    def run(self, program: Program[T], count: int, seed: int) -> list[T]:
        """Run `program` on `count` samples of noise; return its result for each part of the batch, in order."""
        ...


def initial(noise: NoiseSchedule, eps: FloatArray, lam: float) -> FloatArray:
    """The x (n, *shape) that sampling starts from at `lam`: sigma eps for VE, else eps itself, as pipelines do."""
    if core_noise(noise).family != "ve":
        return eps
    return eps * eps.dtype.type(noise.sigma(lam))


def as_network(
    source: Any,
    noise: NoiseSchedule | None = None,
    *,
    shape: Sequence[int] | None = None,
    device: Any = None,
    dtype: Any = None,
    batch: int | None = None,
    call: Mapping[str, Any] | None = None,
) -> Network:
    """What calibrations ask, from what you have.

    Args:
        source: a function denoise(x, lam) -> x0 (see `Denoise`), a diffusers pipeline, or a Network, which is
            returned as it is.
        noise: the noise schedule; needed for a function. A pipeline's is read from its scheduler, and needed where
            that depends on the image size.
        shape: of one sample; for a function only, and needed there.
        device: for a function: it gets torch tensors on this device. None: NumPy arrays.
        dtype: of those tensors, such as "float16" or torch.bfloat16; None is float32.
        batch: the largest number of samples in one call; None is all at once for a function, one for a pipeline.
        call: for a pipeline: what it is called with, such as prompt=, negative_prompt=, guidance_scale=, height=.

    Raises:
        ValueError: an argument is missing, impossible, or of no use for this kind of source.
        TypeError: `source` is none of the three.
    """
    options = {"noise": noise, "shape": shape, "device": device, "dtype": dtype, "batch": batch, "call": call}
    if isinstance(source, Network):
        _refuse(options, tuple(options), "a Network, which has its own")
        return source
    if _is_pipeline(source):
        from .diffusers._probe import PipelineNetwork

        _refuse(options, ("shape", "device", "dtype"), "a pipeline, which has its own")
        network: Network = PipelineNetwork(source, call, noise=noise, batch=1 if batch is None else batch)
        return network
    if not callable(source):
        raise TypeError(
            "source must be a function denoise(x, lam) -> x0, a diffusers pipeline or a Network, "
            f"got {type(source).__name__}"
        )
    _refuse(options, ("call",), "a function: write what it is called with into it")
    for name in ("noise", "shape"):
        if options[name] is None:
            raise ValueError(f"{name} must be given for a function denoise(x, lam)")
    return CallableNetwork(
        source,
        cast(NoiseSchedule, noise),
        shape=cast("Sequence[int]", shape),
        device=device,
        dtype=dtype,
        batch=batch,
    )


class CallableNetwork:
    """A function denoise(x, lam) -> x0 as a Network.

    Without a `device` it gets and gives float64 NumPy arrays. With one it gets torch tensors of `dtype` there, under
    `torch.no_grad()`, and gives tensors, which programs see as float32 arrays (float64 for that dtype).

    Where memory runs out, the call is repeated with half of its samples, down to single ones; the size that worked is
    kept for later calls. Everything else that the function raises is passed on.

    Args:
        denoise: the function; it may change the x that it is given.
        noise: its noise schedule.
        shape: of one sample.
        device: a torch device or its name, None for NumPy.
        dtype: a floating-point torch.dtype or its name; None is float32. Only with `device`.
        batch: the largest number of samples in one call, 1 or more; None is no limit. Programs are run in parts of
            this size.

    Raises:
        ValueError: an argument is impossible.
        ImportError: `device` is given, and torch is missing.
    """

    def __init__(
        self,
        denoise: Denoise,
        noise: NoiseSchedule,
        *,
        shape: Sequence[int],
        device: Any = None,
        dtype: Any = None,
        batch: int | None = None,
    ) -> None:
        core_noise(noise)
        self.noise = noise
        self.evaluations = 0
        self.shape = _as_shape(shape)
        self.batch = None if batch is None else as_integer("batch", batch, least=1)
        self._denoise = denoise
        self._arrays = _arrays(device, dtype)
        self._limit = self.batch

    def ask(self, x: FloatArray, lam: float) -> FloatArray:
        """x0 (n, *shape) for x (n, *shape) at `lam`, for code that chooses noise levels as it goes.

        Raises:
            ValueError: `lam` lies outside the noise schedule's range; x or the answer has another shape, is complex,
                or holds NaN or infinity.
            TypeError: the answer is no array.
            MemoryError: there is too little memory for one sample.
        """
        lam = _as_level("lam", lam, self.noise)
        x = np.asarray(x)
        if x.shape[1:] != self.shape or x.ndim != 1 + len(self.shape):
            raise ValueError(f"x must have shape (n, {', '.join(map(str, self.shape))}), got {x.shape}")
        answers = []
        parts = Parts(len(x), self._limit)
        for part in parts:
            answer, error = self._attempt(x[part], lam)
            if error is not None:
                parts.halve(error, "denoise")
                self._limit = parts.limit
                free_memory()
            else:
                answers.append(answer)
                self.evaluations += len(x[part])
        if not answers:
            return np.empty(x.shape, self._arrays.dtype)
        return np.concatenate(answers) if len(answers) > 1 else answers[0]

    def run(self, program: Program[T], count: int, seed: int) -> list[T]:
        """Run `program` on `count` samples, 1 or more, of noise from `seed`, 0 or more.

        The noise of sample i depends on (seed, i) alone, so no result depends on `batch`.

        Returns:
            The program's result for each part of the batch, in order.

        Raises:
            ValueError, TypeError, MemoryError: see `ask`; also for a program that yields too few or too many x, or
                starts anywhere else than at `initial`.
        """
        lambdas = checked_levels(self.noise, program.lambdas)
        count = as_integer("count", count, least=1)
        seed = as_integer("seed", seed, least=0, most=2**63 - 1)
        step = count if self.batch is None else self.batch
        return [
            self._run_part(program, lambdas, range(first, min(first + step, count)), seed)
            for first in range(0, count, step)
        ]

    def _run_part(self, program: Program[T], lambdas: list[float], samples: range, seed: int) -> T:
        eps = np.stack([np.random.default_rng([seed, i]).standard_normal(self.shape) for i in samples])
        run = ProgramRun(program, self.noise, lambdas, eps.astype(self._arrays.dtype, copy=False))
        with closing(run):
            for lam in lambdas:
                run.send(self.ask(run.x, lam))
        return run.result

    def _attempt(self, x: FloatArray, lam: float) -> tuple[Any, BaseException | None]:
        """The answer, or the error where memory ran out."""
        try:
            return self._arrays.call(self._denoise, x, lam), None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            # its frames hold the tensors of the failed call
            return None, error.with_traceback(None)


class ProgramRun(Generic[T]):
    """One part of a batch on its way through a program, which is held to what it promises.

    Attributes:
        x: what the program asks for now.
        result: what it returned; set after the last answer.
    """

    x: FloatArray
    result: T

    def __init__(self, program: Program[T], noise: NoiseSchedule, lambdas: list[float], eps: FloatArray) -> None:
        self._lambdas = lambdas
        self._asked = 0
        self._shape = eps.shape
        start = initial(noise, eps, lambdas[0]).copy()
        self._steps = program.steps(eps)
        try:
            self.x = self._checked(next(self._steps))
        except StopIteration:
            raise ValueError(f"program.steps yields no x, but program.lambdas has {len(lambdas)} entries") from None
        scale = float(np.max(np.abs(start), initial=0.0))
        if not np.allclose(self.x, start, rtol=0.0, atol=_START_TOLERANCE * scale):
            raise ValueError(
                "program.steps must first yield initial(noise, eps, lambdas[0]), where sampling starts; "
                f"it is off by up to {float(np.max(np.abs(self.x - start))):.3g}"
            )

    def close(self) -> None:
        """Close the program's generator."""
        self._steps.close()

    def send(self, x0: FloatArray) -> None:
        """Send the answer to `x`."""
        self._asked += 1
        try:
            x = self._steps.send(x0)
        except StopIteration as end:
            if self._asked < len(self._lambdas):
                raise ValueError(
                    f"program.steps ends after {self._asked} x, but program.lambdas has {len(self._lambdas)} entries"
                ) from None
            self.result = end.value
            return
        if self._asked == len(self._lambdas):
            raise ValueError(f"program.steps yields more x than program.lambdas has entries, {len(self._lambdas)}")
        self.x = self._checked(x)

    def _checked(self, x: Any) -> FloatArray:
        array = np.asarray(x)
        where = f"program.steps: its x at lambdas[{self._asked}]"
        if array.shape != self._shape or array.dtype.kind != "f":
            raise ValueError(
                f"{where} must be floating-point of shape {self._shape}, got {array.dtype} of shape {array.shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{where} holds NaN or infinity")
        return array


def checked_levels(noise: NoiseSchedule, lambdas: Sequence[float]) -> list[float]:
    """`lambdas` as floats; ValueError unless there are any and all lie in the noise schedule's range."""
    if len(lambdas) == 0:
        raise ValueError("lambdas must not be empty")
    return [_as_level(f"lambdas[{i}]", lam, noise) for i, lam in enumerate(lambdas)]


def _as_level(name: str, value: Any, noise: NoiseSchedule) -> float:
    low, high = noise.lambda_range
    lam = as_number(name, value)
    if not low - _RANGE_TOLERANCE <= lam <= high + _RANGE_TOLERANCE:
        raise ValueError(f"{name} must be within the noise schedule's range [{low}, {high}], got {lam}")
    return min(max(lam, low), high)


def check_finite(x0: FloatArray, lam: float, what: str) -> None:
    """Raise ValueError, with `lam` and the number of samples, where an answer holds NaN or infinity."""
    wrong = int(np.sum(~np.isfinite(x0.reshape(len(x0), math.prod(x0.shape[1:]))).all(axis=1)))
    if wrong:
        raise ValueError(f"{what} gave NaN or infinity at lam = {lam:.6g} in {wrong} of {len(x0)} samples")


class _NumpyArrays:
    dtype: npt.DTypeLike = np.float64

    def call(self, denoise: Denoise, x: FloatArray, lam: float) -> FloatArray:
        answer = denoise(np.array(x, dtype=np.float64), lam)
        if not hasattr(answer, "__array__"):
            raise TypeError(f"denoise must give an array, got {type(answer).__name__}")
        array = np.asarray(answer)
        if array.dtype.kind not in "fiu":
            raise ValueError(f"denoise must give real numbers, got {array.dtype}")
        _check_shape(array.shape, x.shape)
        # copied: the function may use its own array again
        x0 = np.array(array, dtype=np.float64)
        check_finite(x0, lam, "denoise")
        return x0


class _TorchArrays:
    def __init__(self, device: Any, dtype: Any) -> None:
        try:
            import torch
        except ImportError as error:
            raise ImportError(f"device={device!r} needs torch, which cannot be imported ({error})") from error
        kind = getattr(torch, dtype, None) if isinstance(dtype, str) else torch.float32 if dtype is None else dtype
        if not (isinstance(kind, torch.dtype) and kind.is_floating_point):
            raise ValueError(f"dtype must be a floating-point torch.dtype or its name, got {dtype!r}")
        try:
            self._device = torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"device must be a torch device or its name, got {device!r}: {error}") from None
        self._torch = torch
        self._kind = kind
        self.dtype: npt.DTypeLike = np.float64 if kind == torch.float64 else np.float32

    def call(self, denoise: Denoise, x: FloatArray, lam: float) -> FloatArray:
        torch = self._torch
        # no_grad rather than inference_mode: guidance by a classifier's gradient can turn gradients on again
        with torch.no_grad():
            answer = denoise(torch.from_numpy(np.array(x, dtype=self.dtype)).to(self._device, self._kind), lam)
            if not isinstance(answer, torch.Tensor):
                raise TypeError(f"denoise must give a torch.Tensor, got {type(answer).__name__}")
            if answer.is_complex() or answer.dtype == torch.bool:
                raise ValueError(f"denoise must give real numbers, got {answer.dtype}")
            _check_shape(tuple(answer.shape), x.shape)
            kind = torch.float64 if self.dtype is np.float64 else torch.float32
            x0: FloatArray = answer.detach().to("cpu", kind, copy=True).numpy()
        check_finite(x0, lam, "denoise")
        return x0


def _arrays(device: Any, dtype: Any) -> _NumpyArrays | _TorchArrays:
    if device is not None:
        return _TorchArrays(device, dtype)
    if dtype is not None:
        raise ValueError(f"dtype={dtype!r} must be left out without a device: NumPy arrays are float64")
    return _NumpyArrays()


def _check_shape(got: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if got != wanted:
        raise ValueError(f"denoise must give shape {wanted}, got {got}")


def _as_shape(shape: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(shape)
    except TypeError:
        raise ValueError(f"shape must be the shape of one sample, such as (4, 64, 64), got {shape!r}") from None
    return tuple(as_integer(f"shape[{i}]", size, least=1) for i, size in enumerate(sizes))


def _is_pipeline(source: Any) -> bool:
    from .diffusers._target import is_scheduler

    return callable(source) and is_scheduler(getattr(source, "scheduler", None))


def _refuse(options: Mapping[str, Any], names: Sequence[str], kind: str) -> None:
    given = [f"{name}={options[name]!r}" for name in names if options[name] is not None]
    if given:
        raise ValueError(f"{', '.join(given)} must be left out for {kind}")
