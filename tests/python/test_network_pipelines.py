"""Pipelines of diffusers as networks: against their networks, called by hand, and converted to x0 by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import hso  # noqa: E402
import models  # noqa: E402
from diffusers_helpers import SD  # noqa: E402
from hso.network import Network, Program, as_network, initial  # noqa: E402
from pipeline_runs import Recorder, build  # noqa: E402
from tiny_pipelines import embeddings, prompts  # noqa: E402

FLOW = {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}
LINEAR = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}
SVD = {
    **SD,
    "prediction_type": "v_prediction",
    "timestep_type": "continuous",
    "sigma_min": 0.002,
    "sigma_max": 700.0,
}
LEVELS = [-1.9, -0.3, 1.1]  # no whole timesteps


def steps_of(noise, lambdas):
    """A program that goes its own way; returns what it asked and was told."""

    def steps(eps):
        x, seen = initial(noise, eps, lambdas[0]), []
        for _ in lambdas:
            x0 = yield x
            seen.append((x, x0))
            x = 0.6 * x + 0.1 * eps + 0.05 * np.tanh(x0)
        return seen

    return Program(lambdas, steps)


def run(network, count=2, seed=3, lambdas=LEVELS):
    """The x and the x0, (levels, count, *shape) each."""
    results = network.run(steps_of(network.noise, lambdas), count, seed)
    return tuple(
        np.stack([np.concatenate([seen[i][part] for seen in results]) for i in range(len(lambdas))]) for part in (0, 1)
    )


def snapshot(pipe):
    """The scheduler, its class and all that it holds."""
    return pipe.scheduler, type(pipe.scheduler), dict(vars(pipe.scheduler))


def assert_untouched(pipe, before):
    scheduler, cls, held = before
    assert pipe.scheduler is scheduler
    assert type(scheduler) is cls
    assert vars(scheduler).keys() == held.keys()
    assert all(vars(scheduler)[name] is value for name, value in held.items())


def stable_diffusion(name="DDIMScheduler", batch=None, call=None, **config):
    tiny = build("sd", name, {**SD, **config})
    return tiny, as_network(tiny.pipe, batch=batch, call={**tiny.inputs, "guidance_scale": 4.0, **(call or {})})


def guided(unet, x, timestep, scale, positive, negative):
    """Classifier-free guidance, in two calls."""
    told = torch.full((len(x),), timestep)
    outputs = [unet(x, told, encoder_hidden_states=text).sample for text in (positive, negative)]
    return outputs[1] + scale * (outputs[0] - outputs[1])


@pytest.mark.parametrize("name", ["DDIMScheduler", "PNDMScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@torch.no_grad()
def test_stable_diffusion_with_guidance(name, prediction):
    texts = {name: torch.cat([text, embeddings(1, 7, 16, seed=5)]) for name, text in prompts().items()}
    tiny, network = stable_diffusion(name, batch=2, call=texts, prediction_type=prediction)
    assert isinstance(network, Network)
    before = snapshot(tiny.pipe)
    recorder = Recorder(tiny)
    x, x0 = run(network, count=3)
    assert_untouched(tiny.pipe, before)
    assert network.evaluations == 3 * len(LEVELS)
    assert x.dtype == x0.dtype == np.float32

    betas = np.linspace(SD["beta_start"] ** 0.5, SD["beta_end"] ** 0.5, 1000) ** 2
    log_alpha = 0.5 * np.cumsum(np.log1p(-betas))
    for i, lam in enumerate(LEVELS):
        alpha, sigma = (1.0 + math.exp(-2.0 * lam)) ** -0.5, (1.0 + math.exp(2.0 * lam)) ** -0.5
        timestep = np.interp(math.log(alpha), log_alpha[::-1], np.arange(999.0, -1.0, -1.0))
        assert abs(timestep - round(timestep)) > 0.01
        assert recorder.told[i] == pytest.approx(timestep, abs=2e-2)
        shown = torch.from_numpy(x[i])
        output = guided(tiny.pipe.unet, shown, timestep, 4.0, *(text[[0, 1, 0]] for text in texts.values()))
        wanted = {
            "epsilon": (shown - sigma * output) / alpha,
            "v_prediction": alpha * shown - sigma * output,
            "sample": output,
        }[prediction]
        np.testing.assert_allclose(x0[i], wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))


@torch.no_grad()
def test_the_noise_is_the_pipelines_own():
    tiny, network = stable_diffusion("EulerDiscreteScheduler")
    x, _ = run(network)
    assert 0.8 < x[0].std() < 1.2
    assert not np.allclose(x[0, 0], x[0, 1])
    recorder = Recorder(tiny)
    again, _ = run(network)
    assert np.array_equal(again, x)
    np.testing.assert_allclose(recorder.seen[0].numpy(), x[0, 0], rtol=1e-6)  # not scaled, as VP networks want it
    assert not np.allclose(run(network, seed=4)[0][0], x[0])


@pytest.mark.parametrize("batch", [2, 3, 10])
def test_samples_do_not_depend_on_the_batch(batch):
    many = {name: torch.cat([value, embeddings(1, 7, 16, seed=5)]) for name, value in prompts().items()}
    alone = run(stable_diffusion(call=many)[1], count=5)
    together = run(stable_diffusion(call=many, batch=batch)[1], count=5)
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4 * np.abs(a).max())


def test_prompts_are_cycled_through():
    tiny, _ = stable_diffusion()
    asked = []

    def encode(prompt, device, count, guidance, negative_prompt=None, **_):
        asked.append((prompt, negative_prompt))
        size = 1 if isinstance(prompt, str) else len(prompt)
        return tuple(value.expand(size, -1, -1) for value in prompts().values())

    tiny.pipe.encode_prompt = encode
    run(as_network(tiny.pipe, batch=4, call={"prompt": ["a", "b", "c"], "negative_prompt": "n"}), count=6)
    assert asked == [(["a", "b", "c", "a"], ["n"] * 4), (["b", "c"], ["n"] * 2)]
    asked.clear()
    run(as_network(tiny.pipe, call={"prompt": "a"}), count=2)
    assert asked == [("a", None)] * 2


@torch.no_grad()
def test_stable_diffusion_3():
    tiny = build("sd3", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0})
    network = as_network(tiny.pipe, batch=2, call={**tiny.inputs, "guidance_scale": 3.0})
    before = snapshot(tiny.pipe)
    recorder = Recorder(tiny)
    x, x0 = run(network)
    assert_untouched(tiny.pipe, before)
    for i, lam in enumerate(LEVELS):
        s = 1.0 / (1.0 + math.exp(lam))
        assert recorder.told[i] == pytest.approx(1000.0 * s, rel=1e-6)
        shown = torch.from_numpy(x[i])
        velocity = [
            tiny.pipe.transformer(
                hidden_states=shown,
                timestep=torch.full((2,), 1000.0 * s),
                encoder_hidden_states=tiny.inputs[f"{sign}prompt_embeds"].expand(2, -1, -1),
                pooled_projections=tiny.inputs[f"{sign}pooled_prompt_embeds"].expand(2, -1),
            ).sample
            for sign in ("negative_", "")
        ]
        wanted = shown - s * (velocity[0] + 3.0 * (velocity[1] - velocity[0]))
        np.testing.assert_allclose(x0[i], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("pipeline", "name", "config"),
    [
        ("sdxl", "EulerDiscreteScheduler", {**SD, "timestep_spacing": "leading", "steps_offset": 1}),
        ("lcm", "LCMScheduler", SD),
        ("pixart", "DPMSolverMultistepScheduler", LINEAR),
        ("flux", "FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True}),
        ("flux", "FlowMatchHeunDiscreteScheduler", {"shift": 3.0}),
        ("qwen", "UniPCMultistepScheduler", FLOW),
        ("wan", "UniPCMultistepScheduler", FLOW),
        ("ltx", "FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True, "shift_terminal": 0.1}),
    ],
)
def test_pipelines_on_an_exact_network(pipeline, name, config):
    """The network of data that are 0.3 everywhere knows the noise by the timestep; latents may be packed."""
    tiny = build(pipeline, name, config)
    network = as_network(tiny.pipe, batch=2, call=tiny.inputs)
    before = snapshot(tiny.pipe)
    recorder = Recorder(tiny, on_ray=True)
    x, x0 = run(network)
    assert_untouched(tiny.pipe, before)
    assert x.shape == (3, 2, *tiny.latents[1:])
    np.testing.assert_allclose(x0, 0.3, atol=1e-5 if network.noise.family == "flow" else 1e-4)
    told = recorder.told[:: len(recorder.told) // 3]
    np.testing.assert_allclose(np.array(told) * tiny.unit, network.noise.timestep(LEVELS), rtol=1e-5)


def test_flux_in_half_precision_is_told_rounded_timesteps():
    tiny = build("flux", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, dtype=torch.bfloat16)
    placed = {name: tiny._placed(value) for name, value in tiny.inputs.items()}
    recorder = Recorder(tiny)
    x, x0 = run(as_network(tiny.pipe, call=placed))
    assert x.dtype == x0.dtype == np.float32
    np.testing.assert_allclose(recorder.told[:3], 1.0 / (1.0 + np.exp(LEVELS)), rtol=2.0**-7)


@torch.no_grad()
def test_dit_which_doubles_its_latents():
    tiny = build("dit", "DDIMScheduler", LINEAR)
    tiny.pipe.transformer.eval()  # in training it drops labels
    network = as_network(tiny.pipe, batch=2, call={"class_labels": [1, 7, 4], "guidance_scale": 3.0})
    x, x0 = run(network, count=5)
    assert x.shape == (3, 5, 4, 8, 8)
    lam, shown = LEVELS[1], torch.from_numpy(x[1])
    labels = torch.tensor([1, 7, 4, 1, 7])
    told = torch.full((5,), float(network.noise.timestep(lam)))
    with_label, without = (
        tiny.pipe.transformer(shown, timestep=told, class_labels=given).sample[:, :4]
        for given in (labels, torch.full((5,), 1000))
    )
    wanted = (shown - network.noise.sigma(lam) * (without + 3.0 * (with_label - without))) / network.noise.alpha(lam)
    np.testing.assert_allclose(x0[1], wanted, rtol=1e-3, atol=1e-3)


def test_stable_video_diffusion():
    tiny = build("svd", "EulerDiscreteScheduler", SVD)
    before = snapshot(tiny.pipe)
    network = as_network(tiny.pipe, call={**tiny.inputs, "num_frames": 2})
    recorder = Recorder(tiny)
    levels = [-4.0, -0.3, 1.1]
    x, x0 = run(network, lambdas=levels)
    assert_untouched(tiny.pipe, before)
    sigmas = np.exp(-np.array(levels))
    np.testing.assert_allclose(recorder.told[:3], 0.25 * np.log(sigmas), rtol=1e-5)
    assert x[0].std() == pytest.approx(sigmas[0], rel=0.1)
    for i, sigma in enumerate(sigmas):
        # a batch of frames, the image's latents behind the noisy ones
        np.testing.assert_allclose(recorder.seen[i][:, :4], x[i, 0] / math.hypot(sigma, 1.0), rtol=1e-5)
    assert np.isfinite(x0).all()


class OneOutput:
    """A pipeline that gives its scheduler a fixed prediction."""

    def __init__(self, scheduler, output=0.7):
        self.scheduler = scheduler
        self.output = output
        self.seen = []

    def __call__(
        self, num_inference_steps: int, batch_size: int = 1, generator: torch.Generator | list | None = None
    ) -> None:
        generators = generator if isinstance(generator, list) else [generator]
        assert len(generators) == batch_size
        self.scheduler.set_timesteps(num_inference_steps)
        x = torch.cat([torch.randn(1, 3, 2, generator=one) for one in generators])
        x = x * getattr(self.scheduler, "init_noise_sigma", 1.0)
        for t in self.scheduler.timesteps:
            self.seen.append((self.scheduler.scale_model_input(x, t), t))
            x = self.step(torch.full_like(x, self.output), t, x)

    def step(self, output, t, x):
        return self.scheduler.step(output, t, x).prev_sample


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_edm_against_the_step_of_diffusers(prediction):
    scheduler = diffusers.EDMEulerScheduler(prediction_type=prediction, sigma_min=0.02, sigma_max=50.0)
    pipe = OneOutput(scheduler)
    levels = list(-np.log([50.0, 3.0, 0.2]))
    x, x0 = run(as_network(pipe, batch=2), lambdas=levels)
    for i, lam in enumerate(levels):
        sigma = math.exp(-lam)
        shown = torch.from_numpy(x[i])
        wanted = scheduler.precondition_outputs(shown, torch.full_like(shown, 0.7), sigma)
        np.testing.assert_allclose(x0[i], wanted, rtol=1e-5)
        np.testing.assert_allclose(pipe.seen[i][0], scheduler.precondition_inputs(shown, sigma), rtol=1e-5)
        assert float(pipe.seen[i][1]) == pytest.approx(0.25 * math.log(sigma), rel=1e-5)


def test_variances_are_dropped():
    class WithVariances(OneOutput):
        def step(self, output, t, x):
            return super().step(torch.cat([output, 9.0 + output], 1), t, x)

    scheduler = diffusers.DDPMScheduler(prediction_type="sample")
    _, x0 = run(as_network(WithVariances(scheduler)))
    np.testing.assert_allclose(x0, 0.7)


@pytest.mark.parametrize("name", ["sd", "flow"])
def test_the_fashion_pipeline(name):
    """A pipeline that is called with a batch size and one generator, and its network asked by the repository's code."""
    model = models.load(name)
    before = snapshot(model.pipeline)
    network = as_network(model.pipeline, batch=4)
    x, x0 = run(network, count=3)
    assert_untouched(model.pipeline, before)
    assert x.shape == (3, 3, 1, 28, 28)
    for i, lam in enumerate(LEVELS):
        wanted = model.denoise(torch.from_numpy(x[i]), lam)
        np.testing.assert_allclose(x0[i], wanted, rtol=1e-3, atol=1e-3)
    function = as_network(model.denoise, model.noise, shape=model.shape, device="cpu")
    np.testing.assert_allclose(function.ask(x[1], LEVELS[1]), x0[1], rtol=1e-3, atol=1e-3)


def test_a_schedule_that_is_applied_stays():
    tiny, _ = stable_diffusion("UniPCMultistepScheduler")
    schedule = hso.optimize(hso.diffusers.noise_schedule(tiny.pipe), 5)
    hso.diffusers.apply(tiny.pipe, schedule)
    before = snapshot(tiny.pipe)
    run(as_network(tiny.pipe, call=tiny.inputs))
    assert_untouched(tiny.pipe, before)
    recorder = Recorder(tiny)
    tiny(5)
    assert recorder.told == tiny.told(schedule.timesteps)


def test_everything_is_put_back_after_an_exception():
    tiny, network = stable_diffusion()
    before = snapshot(tiny.pipe)
    closed = []

    def steps(eps):
        try:
            yield eps
            raise KeyError("mine")
        finally:
            closed.append(True)

    with pytest.raises(KeyError, match="mine"):
        network.run(Program(LEVELS, steps), 2, 0)
    assert_untouched(tiny.pipe, before)
    assert closed == [True]
    assert network.evaluations == 0

    calls = []

    def fail(*_):
        calls.append(True)
        if len(calls) == 2:
            raise ZeroDivisionError

    def more(eps):
        try:
            yield eps
            yield eps
        finally:
            closed.append(True)

    hook = tiny.pipe.unet.register_forward_hook(fail)
    with pytest.raises(ZeroDivisionError) as caught:
        network.run(Program([-1.0, 0.0], more), 1, 0)
    assert caught.tb is not None  # which holds the frames, and they the program: it was not just garbage
    hook.remove()
    assert_untouched(tiny.pipe, before)
    assert closed == [True, True]
    assert network.evaluations == 0
    run(network)


def test_out_of_memory_halves_the_part():
    alone = run(stable_diffusion()[1], count=7)
    tiny, network = stable_diffusion(batch=7)
    before = snapshot(tiny.pipe)
    sizes = []

    def limited(module, args):
        sizes.append(len(args[0]) // 2)
        if sizes[-1] > 2:
            raise getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)("full")

    tiny.pipe.unet.register_forward_pre_hook(limited)
    results = network.run(steps_of(network.noise, LEVELS), 7, 3)
    assert sizes == [7, 4, *[2] * 9, *[1] * 3]
    assert [len(seen[0][0]) for seen in results] == [2, 2, 2, 1]
    np.testing.assert_allclose(np.concatenate([seen[1][1] for seen in results]), alone[1][1], rtol=1e-3, atol=1e-3)
    assert network.evaluations == 7 * len(LEVELS)
    assert_untouched(tiny.pipe, before)
    sizes.clear()
    run(network, count=4)
    assert sizes == [2] * 6  # remembered


def test_out_of_memory_on_one_sample():
    tiny, network = stable_diffusion(batch=2)

    def full(module, args):
        raise torch.cuda.OutOfMemoryError("full")

    tiny.pipe.unet.register_forward_pre_hook(full)
    with pytest.raises(MemoryError, match="StableDiffusionPipeline runs out of memory on a single sample: full"):
        run(network)


def test_nan():
    scheduler = diffusers.DDIMScheduler()
    with pytest.raises(ValueError, match=r"the pipeline gave NaN or infinity at lam = -1.9 in 2 of 2 samples"):
        run(as_network(OneOutput(scheduler, float("nan")), batch=2))


def ends_early(eps):
    yield eps


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (Program([0.0, 50.0], ends_early), r"lambdas\[1\] must be within the noise schedule's range"),
        (Program([], ends_early), "lambdas must not be empty"),
        (Program([0.0, 0.5], ends_early), "program.steps ends after 1 x, but program.lambdas has 2"),
        (Program([0.0], lambda eps: iter_once(2.0 * eps)), "must first yield initial"),
    ],
)
def test_bad_programs(program, message):
    pipe = OneOutput(diffusers.DDIMScheduler())
    before = snapshot(pipe)
    with pytest.raises(ValueError, match=message):
        as_network(pipe).run(program, 2, 0)
    assert_untouched(pipe, before)
    assert ("ends" in message or "first" in message) == bool(pipe.seen)


def iter_once(x):
    yield x


def test_a_result_for_each_part():
    network = as_network(OneOutput(diffusers.DDIMScheduler()), batch=2)

    def steps(eps):
        yield eps
        return len(eps)

    assert network.run(Program([0.0], steps), 5, 0) == [2, 2, 1]


class Changing(OneOutput):
    def step(self, output, t, x):
        return super().step(output, t, x) + 1.0


class PerToken(OneOutput):
    def step(self, output, t, x):
        return self.scheduler.step(output, t, x, per_token_timesteps=t.expand(3)).prev_sample


class ManyTimesteps(OneOutput):
    def step(self, output, t, x):
        return super().step(output, t.expand(3), x)


class OtherTimesteps(OneOutput):
    def step(self, output, t, x):
        return super().step(output, 0.9 * t, x)


class TwoPredictions(OneOutput):
    def step(self, output, t, x):
        return self.scheduler.step(output, None, t, t, x).prev_sample


class Twice(OneOutput):
    def step(self, output, t, x):
        following = super().step(output, t, x)
        return super().step(output, t, following)


class Never(OneOutput):
    def step(self, output, t, x):
        return x


class Copying(OneOutput):
    def step(self, output, t, x):
        import copy

        return copy.deepcopy(self.scheduler).step(output, t, x).prev_sample


class Unpacked(OneOutput):
    def step(self, output, t, x):
        return super().step(output[:, :1], t, x)


class TooMany(OneOutput):
    def step(self, output, t, x):
        return super().step(output.repeat(3, 1, 1), t, x.repeat(3, 1, 1))[:2]


class OtherCount(OneOutput):
    def __call__(self, num_inference_steps: int, generator: torch.Generator | None = None) -> None:
        super().__call__(num_inference_steps + 1, generator=generator)


@pytest.mark.parametrize(
    ("pipe", "message"),
    [
        (Changing, "changes the latents between steps"),
        (PerToken, "more than one timestep or prediction"),
        (ManyTimesteps, "makes step 0 with 3 timesteps in place of"),
        (OtherTimesteps, "makes step 0 with .* in place of the timestep"),
        (TwoPredictions, "more than one timestep or prediction"),
        (Twice, "makes step 1 with .* in place of the timestep"),
        (Never, "Never made 0 of 3 steps"),
        (Copying, "pipelines that copy their scheduler"),
        (Unpacked, r"prediction has shape \(2, 1, 2\), its latents \(2, 3, 2\)"),
        (TooMany, "makes 6 samples in place of 2"),
        (OtherCount, "num_inference_steps=4, but .* 3 steps"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_pipelines_that_are_refused(pipe, message):
    made = pipe(diffusers.DDIMScheduler())
    before = snapshot(made)
    with pytest.raises(ValueError, match=message):
        run(as_network(made, batch=2))
    assert_untouched(made, before)


def test_image_to_image_is_refused():
    tiny = build("img2img", "DDIMScheduler", SD)
    with pytest.raises(ValueError, match="image to image, inpainting"):
        run(as_network(tiny.pipe, call=tiny.inputs))


def test_several_schedulers_are_refused():
    pipe = OneOutput(diffusers.DDIMScheduler())
    pipe.components = {"scheduler": pipe.scheduler, "other": diffusers.DDPMScheduler(), "unet": None}
    with pytest.raises(ValueError, match=r"has several schedulers \(scheduler, other\)"):
        as_network(pipe)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"call": {"latents": None, "num_inference_steps": 9}}, "call must not hold latents, num_inference_steps"),
        ({"call": {"prompt": []}}, "call: prompt must not be empty"),
        ({"batch": 0}, "batch must be in 1"),
        ({"shape": (3, 2)}, r"shape=\(3, 2\) must be left out for a pipeline"),
        ({"device": "cpu"}, "device='cpu' must be left out for a pipeline"),
        ({"noise": 3}, "noise must be an hso.NoiseSchedule"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        as_network(OneOutput(diffusers.DDIMScheduler()), **options)


def test_the_noise_schedule_must_be_the_schedulers():
    pipe = OneOutput(diffusers.DDIMScheduler())
    with pytest.raises(ValueError, match="cannot be converted to x0"):
        as_network(pipe, hso.NoiseSchedule.flow())
    with pytest.raises(ValueError, match="schedule was made for another noise schedule"):
        run(as_network(pipe, hso.NoiseSchedule.preset("sd21")))
    assert pipe.seen == []


def test_other_predictions_and_callables_are_refused():
    with pytest.raises(ValueError, match="prediction_type='flow_prediction' of DPMSolverMultistepScheduler"):
        as_network(OneOutput(diffusers.DPMSolverMultistepScheduler(prediction_type="flow_prediction")))

    class NoGenerator(OneOutput):
        def __call__(self, num_inference_steps: int) -> None:
            """Its noise cannot be repeated."""

    with pytest.raises(ValueError, match="NoGenerator takes no generator"):
        as_network(NoGenerator(diffusers.DDIMScheduler()))
    tiny = build("flux", "FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True})
    with pytest.raises(ValueError, match="noise must be given, or width and height in call, for a FluxPipeline"):
        as_network(tiny.pipe, call={name: value for name, value in tiny.inputs.items() if "prompt" in name})
    with pytest.raises(TypeError, match="source must be"):
        as_network(SimpleNamespace(scheduler=diffusers.DDIMScheduler()))


@pytest.mark.cuda
def test_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    x, x0 = run(stable_diffusion()[1])
    tiny = build("sd", "DDIMScheduler", SD, "cuda")
    placed = {name: tiny._placed(value) for name, value in tiny.inputs.items()}
    network = as_network(tiny.pipe, call={**placed, "guidance_scale": 4.0})
    for on_cpu, on_gpu in zip((x, x0), run(network), strict=True):
        np.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-2, atol=1e-2 * np.abs(on_cpu).max())
