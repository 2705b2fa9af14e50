"""The README's first example: an optimized schedule of five network calls for Stable Diffusion 2.1."""

import hso

noise = hso.NoiseSchedule.preset("sd21")
schedule = hso.optimize(noise, nfe=5)
print(schedule.timesteps)
print(schedule.sigmas)
