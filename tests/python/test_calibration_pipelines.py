"""Calibrations of diffusers pipelines: what their networks, called by hand, give as well."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import hso  # noqa: E402
import models  # noqa: E402
from diffusers_helpers import SD  # noqa: E402
from hso.calibration._plan import plan  # noqa: E402
from hso.network import Program, as_network  # noqa: E402
from pipeline_runs import build  # noqa: E402
from tiny_pipelines import embeddings, prompts  # noqa: E402

FLOW = {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}


def least_budget(order=1):
    """For 4 samples."""
    each = plan(hso.NoiseSchedule.flow(), 1000, order)
    return 4 * (each.evaluations // each.samples)


class SameNoise:
    """A function as a network that starts from the noise of another."""

    def __init__(self, ask, noise, eps):
        self.noise, self.evaluations = noise, 0
        self._ask, self._eps = ask, eps

    def run(self, program, count, seed):
        assert (count, seed) == (len(self._eps), 0)
        steps = program.steps(self._eps.copy())
        x = next(steps)
        for lam in program.lambdas:
            self.evaluations += count
            try:
                x = steps.send(self._ask(x, lam))
            except StopIteration as end:
                return [end.value]
        raise AssertionError("the program did not end")


def noise_of(network, count):
    """The noise that a network starts from, in the shape of its latents."""

    def steps(eps):
        yield network.noise.sigma(lam) * eps if network.noise.family == "ve" else eps
        return eps

    lam = network.noise.lambda_range[0]
    return np.concatenate(network.run(Program([lam], steps), count, 0))


def held(scheduler):
    return type(scheduler), dict(vars(scheduler))


def assert_close(a, b, tolerance):
    for nfe in (2, 5, 8):
        schedule = hso.optimize(a.noise, nfe)
        assert a.error(schedule) == pytest.approx(b.error(schedule), rel=tolerance)
        found = a.optimize(nfe)
        assert b.error(found) == pytest.approx(b.error(b.optimize(nfe)), rel=0.05)


@pytest.mark.parametrize("name", ["sd", "flow"])
@torch.no_grad()
def test_the_fashion_pipeline(name):
    model = models.load(name)
    scheduler = model.pipeline.scheduler
    before = held(scheduler)
    measured = hso.calibrate(model.pipeline, budget=least_budget(), batch=4)
    assert model.pipeline.scheduler is scheduler and held(scheduler) == before
    assert measured.noise == hso.diffusers.noise_schedule(model.pipeline)
    assert measured.samples * (measured.evaluations // measured.samples) == measured.evaluations <= least_budget()
    eps = noise_of(as_network(model.pipeline, batch=4), measured.samples)
    by_hand = SameNoise(lambda x, lam: model.denoise(torch.from_numpy(x), lam).numpy(), model.noise, eps)
    assert_close(measured, hso.calibrate(by_hand, budget=least_budget()), 0.01)
    fit = measured.check(model.pipeline, batch=4)
    assert fit.changed < 1e-4 and fit.fits
    assert held(scheduler) == before


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerDiscreteScheduler"])
@torch.no_grad()
def test_stable_diffusion_with_guidance(name):
    """Euler's schedulers scale the noise that pipelines start from by where they start."""
    tiny = build("sd", name, SD)
    texts = {key: torch.cat([text, embeddings(1, 7, 16, seed=5)]) for key, text in prompts().items()}
    call = {**tiny.inputs, **texts, "guidance_scale": 4.0}
    before = held(tiny.pipe.scheduler)
    measured = hso.calibrate(tiny.pipe, call=call, budget=least_budget(), batch=2)
    assert held(tiny.pipe.scheduler) == before
    assert measured.noise == hso.diffusers.noise_schedule(tiny.pipe)
    noise = measured.noise
    eps = noise_of(as_network(tiny.pipe, call=call, batch=2), measured.samples)

    def ask(x, lam):
        shown, told = torch.from_numpy(x), torch.full((len(x),), float(noise.timestep(lam)))
        rows = [i % 2 for i in range(len(x))]
        positive, negative = (
            tiny.pipe.unet(shown, told, encoder_hidden_states=texts[key][rows]).sample
            for key in ("prompt_embeds", "negative_prompt_embeds")
        )
        output = negative + 4.0 * (positive - negative)
        return ((shown - noise.sigma(lam) * output) / noise.alpha(lam)).numpy()

    assert_close(measured, hso.calibrate(SameNoise(ask, noise, eps), budget=least_budget()), 0.02)
    fit = measured.check(tiny.pipe, call=call)
    assert fit.changed < 1e-3 and fit.fits
    more = measured.check(tiny.pipe, call={**call, "guidance_scale": 20.0})
    assert more.changed > 10.0 * fit.changed


@pytest.mark.parametrize(
    ("pipeline", "name", "config"),
    [
        ("sdxl", "EulerDiscreteScheduler", {**SD, "timestep_spacing": "leading", "steps_offset": 1}),
        ("wan", "UniPCMultistepScheduler", FLOW),
        ("flux", "FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True}),
    ],
)
def test_other_pipelines(pipeline, name, config):
    tiny = build(pipeline, name, config)
    call, before = tiny.inputs, held(tiny.pipe.scheduler)
    measured = hso.calibrate(tiny.pipe, call=call, solver="unipc", budget=least_budget(order=2))
    assert held(tiny.pipe.scheduler) == before
    assert measured.optimize(4).nfe == 4
    fit = measured.check(tiny.pipe, call=call)
    assert fit.changed < 1e-3 and fit.fits


def test_memory_that_runs_out_in_a_pipeline():
    """A part is run again in halves; the second program meets other parts than the first."""
    tiny = build("sd", "EulerDiscreteScheduler", SD)
    budget = least_budget(order=2)
    whole = hso.calibrate(tiny.pipe, call=tiny.inputs, solver="unipc", budget=budget)
    encode, limit, calls = tiny.pipe.unet.forward, [3], [0]

    def forward(sample, *args, **options):
        calls[0] += 1
        if calls[0] == 60:
            limit[0] = 1
        if len(sample) > 2 * limit[0]:  # with and without the prompt
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return encode(sample, *args, **options)

    tiny.pipe.unet.forward = forward
    told = []

    def tell(done, total):
        told.append((done, total))

    parts = hso.calibrate(tiny.pipe, call=tiny.inputs, solver="unipc", budget=budget, batch=4, progress=tell)
    assert parts.evaluations == whole.evaluations
    done = [each for each, _ in told]
    assert done == sorted(done) and done[-1] == told[-1][1] == parts.evaluations
    assert_close(whole, parts, 0.02)


def test_exceptions_leave_the_scheduler_alone():
    tiny = build("sd", "DDIMScheduler", SD)
    before = held(tiny.pipe.scheduler)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hso.calibrate(tiny.pipe, call=tiny.inputs, budget=least_budget(), progress=stop)
    assert held(tiny.pipe.scheduler) == before
    with pytest.raises(ValueError, match=r"shape=.* must be left out for a pipeline"):
        hso.calibrate(tiny.pipe, call=tiny.inputs, budget=least_budget(), shape=(4, 8, 8))
    with pytest.raises(ValueError, match="budget must be at least"):
        hso.calibrate(tiny.pipe, call=tiny.inputs, budget=10)


class Edm:
    """A pipeline around a scheduler that scales the noise by the level that it starts from."""

    def __init__(self, dtype):
        self.scheduler = diffusers.EDMEulerScheduler(sigma_min=0.02, sigma_max=50.0)
        self._dtype = dtype

    def __call__(
        self, num_inference_steps: int, batch_size: int = 1, generator: torch.Generator | list | None = None
    ) -> None:
        generators = generator if isinstance(generator, list) else [generator]
        self.scheduler.set_timesteps(num_inference_steps)
        x = torch.cat([torch.randn(1, 3, 8, generator=one) for one in generators]).to(self._dtype)
        x = x * self.scheduler.init_noise_sigma
        for t in self.scheduler.timesteps:
            shown = self.scheduler.scale_model_input(x, t)
            x = self.scheduler.step(torch.tanh(shown).flip(2), t, x).prev_sample


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_noise_that_is_scaled_by_the_level(dtype):
    """It comes back rounded, in another way for each level that sampling starts from."""
    pipe = Edm(dtype)
    before = held(pipe.scheduler)
    for batch in (1, 3):
        measured = hso.calibrate(pipe, solver="unipc", budget=2 * least_budget(order=2), batch=batch)
        assert held(pipe.scheduler) == before
        assert measured.samples == 8
        assert measured.error(measured.optimize(8)) < measured.error(measured.optimize(2))
        fit = measured.check(pipe)
        assert fit.changed < 0.02 and fit.fits


def test_a_network_that_changes_its_noise_is_refused():
    class Restless(SameNoise):
        def run(self, program, count, seed):
            self._eps = np.random.default_rng(self.evaluations).standard_normal((count, 5))
            return super().run(program, count, seed)

    noise = hso.NoiseSchedule.flow()
    with pytest.raises(ValueError, match="must start the same samples from the same noise"):
        hso.calibrate(Restless(lambda x, lam: 0.5 * x, noise, None), solver="unipc", budget=least_budget(order=2))
