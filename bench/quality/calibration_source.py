"""A model as calibrations ask it, and what was made of it, kept by everything that it depends on."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import hso
from hso.network import Network, as_network
from run import kept_as, load
from store import Store, content_key
from subject import fingerprint

SEED = 3000
"""Of the first calibration; the tests' noises count from 0."""
SOLVERS: dict[str, tuple[str, int]] = {
    "DDIM": ("ddim", 1),
    "Euler": ("ddim", 1),
    "DPM++ 2M": ("dpm-solver++", 2),
    "UniPC-2": ("unipc", 2),
}
"""The lab's solvers, as `hso.calibrate` has them."""


_SHARED = ("_multistep", "trajectories", "chain")


class Made(NamedTuple):
    """Schedules by number of network calls, and what they cost.

    evaluations: of the network, of single samples, for all of the schedules; seconds likewise.
    """

    schedules: dict[int, hso.Schedule]
    evaluations: int
    seconds: float


class Calibrated(NamedTuple):
    """A profile and the seconds that it took."""

    profile: hso.Profile
    seconds: float


@dataclass(frozen=True, eq=False)
class Source:
    """A model of the lab, to be asked on the CPU."""

    name: str
    model: Any
    identity: str
    store: Store

    @classmethod
    def of(cls, name: str, store: Store) -> Source:
        """The model called `name`."""
        return cls(name, load(name), fingerprint(kept_as(name)), store)

    @property
    def noise(self) -> hso.NoiseSchedule:
        """Its noise levels."""
        noise: hso.NoiseSchedule = self.model.noise
        return noise

    @property
    def options(self) -> dict[str, Any]:
        """What a calibration is told of it, besides the function and the noise schedule."""
        return {"shape": self.model.shape, "device": "cpu", "dtype": self.model.dtype}

    def network(self) -> Network:
        """It as hso's objectives ask it."""
        return as_network(self.model.denoise, self.noise, **self.options)

    def made(
        self, kind: str, package: str, make: Callable[[], tuple[dict[int, hso.Schedule], int]], **parts: Any
    ) -> Made:
        """Schedules that end at sigma 0 and their evaluations, made now by a package of hso or found in the store."""

        def timed() -> dict[str, Any]:
            began = time.perf_counter()
            schedules, evaluations = make()
            seconds = time.perf_counter() - began
            nodes = {f"t{nfe}": schedule.t[:-1] for nfe, schedule in schedules.items()}
            return nodes | {"evaluations": evaluations, "seconds": seconds}

        kept = self.store.kept(self._key(kind, package, **parts), timed)
        schedules = {
            int(name[1:]): hso.Schedule.from_nodes(self.noise, np.atleast_1d(t), search=kind)
            for name, t in kept.items()
            if name[0] == "t"
        }
        return Made(schedules, int(kept["evaluations"]), kept["seconds"])

    def calibrated(self, solver: str, budget: int, seed: int, **changes: Any) -> Calibrated:
        """The profile for one of the lab's solvers; `changes` name what makes `denoise` another than the model's."""
        name, order = SOLVERS[solver]
        denoise = changes.pop("denoise", self.model.denoise)
        parts: dict[str, Any] = {"solver": name, "order": order, "budget": budget, "seed": seed}

        def make() -> dict[str, Any]:
            began = time.perf_counter()
            profile = hso.calibrate(denoise, self.noise, **self.options, **parts)
            seconds = time.perf_counter() - began
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "profile.json"
                profile.save(path)
                return {"profile": np.frombuffer(path.read_bytes(), dtype=np.uint8), "seconds": seconds}

        kept = self.store.kept(self._key("profile", "calibration", **parts | changes), make)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "profile.json"
            path.write_bytes(kept["profile"].tobytes())
            return Calibrated(hso.Profile.load(path), kept["seconds"])

    def kept(self, kind: str, package: str, make: Callable[[], dict[str, Any]], **parts: Any) -> dict[str, Any]:
        """Any other arrays and numbers that depend on the model, a package of hso and `parts`."""
        return self.store.kept(self._key(kind, package, **parts), make)

    def _key(self, kind: str, package: str, **parts: Any) -> str:
        identity = {"model": self.identity, "noise": self.noise.fingerprint, "code": _code(package)}
        return content_key(kind=kind, **identity, **parts)


def optimized(found: Calibrated, nfe: Sequence[int], **options: Any) -> Made:
    """The profile's schedules with `options` of its search; the seconds are those of calibration and search."""
    began = time.perf_counter()
    schedules = hso.optimize(found.profile, nfe) if not options else found.profile.optimize(nfe, **options)
    seconds = found.seconds + time.perf_counter() - began
    return Made(dict(zip(nfe, schedules, strict=True)), found.profile.evaluations, seconds)


@cache
def _code(package: str) -> str:
    """A digest of a package of hso: what other code made is not to be found."""
    digest = hashlib.sha256()
    folder = Path(hso.__file__).parent
    for path in [*sorted((folder / package).glob("*.py")), *(folder / f"{name}.py" for name in _SHARED)]:
        digest.update(path.read_bytes())
    if package == "calibration":
        digest.update(Path(str(hso._core.__file__)).read_bytes())
    return digest.hexdigest()[:16]
