"""What child processes are asked, importable from them however they are started."""

import numpy as np

import hso

REQUESTS = [("sd21", 5, {}), ("flux-dev", 8, {"terminal": "t_min"}), ("sd21", 6, {"search": "bilevel", "threads": 2})]


def found(request):
    preset, nfe, options = request
    return hso.optimize(hso.NoiseSchedule.preset(preset), nfe, **options)


def improved(noise):
    """Takes a noise schedule, gives a schedule: what a user may send through a queue."""
    return hso.optimize(noise, 7)


def same(a, b):
    return np.array_equal(a.t, b.t) and np.array_equal(a.timesteps, b.timesteps) and a.fitness == b.fitness


def serve(requests, answers):
    """Answers requests until there is a None."""
    while (request := requests.get()) is not None:
        answers.put(hso.optimize(*request))
