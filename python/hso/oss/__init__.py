"""Optimal Stepsize Distillation: schedules whose few steps stay as near as they can to a teacher's many.

    schedule = hso.oss.search(pipe, nfe=5, call={"prompt": "a fox"})  # or a function denoise(x, lam) -> x0
    details = hso.oss.distill(denoise, noise, nfe=10, shape=(3, 64, 64))
    details.schedule(5), details.students[4].errors  # all numbers of steps come out of one run

Pei, Hu and Gu 2025 (2503.21774). The network is asked some teacher_steps (nfe + 1) times for each sample.
"""

from ._amplitude import Amplitude
from ._distill import Distilled, Student, distill
from ._search import search

__all__ = ["Amplitude", "Distilled", "Student", "distill", "search"]
