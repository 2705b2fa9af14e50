"""Functions as networks, and the programs that ask them: against Gaussian data, whose x0 is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hso
from hso.network import CallableNetwork, Network, Program, as_network, initial

SHAPE = (2, 3)
MEAN, VARIANCE = 0.4, 0.25
NOISES = {
    "vp": hso.NoiseSchedule.preset("sd21"),
    "flow": hso.NoiseSchedule.flow(shift=3.0),
    "ve": hso.NoiseSchedule.edm(),
}
SD = NOISES["vp"]
LEVELS = [-2.0, -0.5, 1.0, 2.5]


def gaussian(noise):
    """E[x0 | x] for x0 ~ N(MEAN, VARIANCE) in every pixel; NumPy or torch in, the same out."""

    def denoise(x, lam):
        alpha, sigma = noise.alpha(lam), noise.sigma(lam)
        return MEAN + alpha * VARIANCE / (alpha**2 * VARIANCE + sigma**2) * (x - alpha * MEAN)

    return denoise


def ddim(noise, lambdas):
    """Sampling from the first level to sigma 0, in VE variables; returns the samples and all that was seen."""

    def steps(eps):
        x = initial(noise, eps, lambdas[0])
        seen = []
        for i, lam in enumerate(lambdas):
            x0 = yield x
            seen.append((x, x0))
            y, s = x / noise.alpha(lam), math.exp(-lam)
            if i + 1 < len(lambdas):
                after = math.exp(-lambdas[i + 1])
                x = noise.alpha(lambdas[i + 1]) * (after / s * y + (1.0 - after / s) * x0)
        return x0, seen

    return Program(lambdas, steps)


def pixelwise(noise, lambdas, eps):
    """What `ddim` must give, from the factor that each step is."""
    x = eps * (noise.sigma(lambdas[0]) if noise.family == "ve" else 1.0)
    for lam, following in zip(lambdas, [*lambdas[1:], None], strict=True):
        alpha, sigma = noise.alpha(lam), noise.sigma(lam)
        x0 = MEAN + alpha * VARIANCE / (alpha**2 * VARIANCE + sigma**2) * (x - alpha * MEAN)
        if following is None:
            return x0
        x = noise.alpha(following) * x0 + noise.sigma(following) * (x - alpha * x0) / sigma


def draw(seed, count):
    return np.stack([np.random.default_rng([seed, i]).standard_normal(SHAPE) for i in range(count)])


def noise_of(network, count, seed, **options):
    """The noise that a network starts from."""

    def steps(eps):
        yield eps
        return eps

    return np.concatenate(network.run(Program([0.0], steps), count, seed, **options))


def function(denoise=None, noise=SD, **options):
    return CallableNetwork(denoise or gaussian(noise), noise, shape=SHAPE, **options)


@pytest.mark.parametrize("family", list(NOISES))
def test_a_program_samples(family):
    noise = NOISES[family]
    network = function(noise=noise)
    ((samples, seen),) = network.run(ddim(noise, LEVELS), 5, 3)
    np.testing.assert_allclose(samples, pixelwise(noise, LEVELS, draw(3, 5)), rtol=1e-12)
    assert network.evaluations == 5 * len(LEVELS)
    assert {array.dtype for pair in seen for array in pair} == {np.dtype(np.float64)}


def test_initial():
    eps = draw(0, 2)
    assert np.array_equal(initial(SD, eps, -1.0), eps)
    assert np.array_equal(initial(NOISES["flow"], eps, -1.0), eps)
    np.testing.assert_allclose(initial(NOISES["ve"], eps, -1.0), math.e * eps)
    assert initial(NOISES["ve"], eps.astype(np.float32), -1.0).dtype == np.float32


@pytest.mark.parametrize("batch", [1, 2, 4, 7, 100])
def test_results_do_not_depend_on_the_batch(batch):
    whole = function().run(ddim(SD, LEVELS), 7, 1)
    parts = function(batch=batch).run(ddim(SD, LEVELS), 7, 1)
    assert [len(samples) for samples, _ in parts] == [min(batch, 7 - i) for i in range(0, 7, batch)]
    assert np.array_equal(np.concatenate([samples for samples, _ in parts]), whole[0][0])


def test_noise_is_that_of_the_seed_and_the_sample():
    assert np.array_equal(noise_of(function(), 3, 5), noise_of(function(batch=1), 9, 5)[:3])
    assert not np.array_equal(noise_of(function(), 3, 5), noise_of(function(), 3, 6))
    values = noise_of(function(), 4000, 0)
    assert abs(values.mean()) < 0.03 and abs(values.std() - 1.0) < 0.02
    assert len(np.unique(values)) == values.size


def test_ask():
    network = function()
    x = draw(0, 3)
    np.testing.assert_allclose(network.ask(x, 0.3), gaussian(SD)(x, 0.3))
    assert network.evaluations == 3
    assert network.ask(np.empty((0, *SHAPE)), 0.3).shape == (0, *SHAPE)
    with pytest.raises(ValueError, match=r"x must have shape \(n, 2, 3\), got \(2, 3\)"):
        network.ask(x[0], 0.3)
    with pytest.raises(ValueError, match=r"lam must be within the noise schedule's range .*, got 9"):
        network.ask(x, 9.0)


def test_arrays_are_not_shared_with_the_function():
    held = np.zeros((4, *SHAPE))

    def denoise(x, lam):
        x *= 0.5
        held[...] = x
        return held

    ((_, seen),) = function(denoise).run(ddim(SD, LEVELS), 4, 0)
    for x, x0 in seen:
        np.testing.assert_allclose(x0, 0.5 * x)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda x: x[:, :1], ValueError, r"denoise must give shape \(4, 2, 3\), got \(4, 1, 3\)"),
        (lambda x: x[:3], ValueError, r"denoise must give shape \(4, 2, 3\), got \(3, 2, 3\)"),
        (lambda x: x + 0j, ValueError, "denoise must give real numbers, got complex128"),
        (lambda x: x > 0, ValueError, "denoise must give real numbers, got bool"),
        (lambda x: None, TypeError, "denoise must give an array, got NoneType"),
        (lambda x: x.tolist(), TypeError, "denoise must give an array, got list"),
        (
            lambda x: np.where(np.arange(4)[:, None, None] < 3, np.nan, x),
            ValueError,
            r"NaN or infinity at lam = -2 in 3 of 4 samples",
        ),
        (lambda x: x / 0.0, ValueError, "NaN or infinity at lam = -2 in 4 of 4 samples"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bad_answers(answer, error, message):
    network = function(lambda x, lam: answer(x))
    with pytest.raises(error, match=message):
        network.run(ddim(SD, LEVELS), 4, 0)
    assert network.evaluations == 0


def test_exceptions_of_the_function_pass_through_and_close_the_program():
    closed = []

    def denoise(x, lam):
        raise KeyError("mine")

    def steps(eps):
        try:
            yield eps
        finally:
            closed.append(True)

    with pytest.raises(KeyError, match="mine") as caught:
        function(denoise).run(Program([0.0], steps), 2, 0)
    assert caught.tb is not None  # which holds the frames, and they the program: it was not just garbage
    assert closed == [True]


class OutOfMemory:
    """The Gaussian network with memory for some samples; remembers how many it was asked for."""

    def __init__(self, most, error):
        self.most = most
        self.error = error
        self.sizes = []

    def __call__(self, x, lam):
        self.sizes.append(len(x))
        if len(x) > self.most:
            raise self.error
        return gaussian(SD)(x, lam)


def test_out_of_memory_halves_the_part_and_remembers():
    denoise = OutOfMemory(2, MemoryError("full"))
    network = function(denoise)
    ((samples, _),) = network.run(ddim(SD, LEVELS[:2]), 7, 1)
    np.testing.assert_array_equal(samples, function().run(ddim(SD, LEVELS[:2]), 7, 1)[0][0])
    assert denoise.sizes == [7, 4, 2, 2, 2, 1, 2, 2, 2, 1]
    assert network.evaluations == 14

    denoise = OutOfMemory(2, MemoryError("full"))
    network = function(denoise, batch=4)
    network.run(ddim(SD, LEVELS[:2]), 5, 1)
    assert denoise.sizes == [4, 2, 2, 2, 2, 1, 1]


def test_out_of_memory_on_one_sample():
    with pytest.raises(MemoryError, match="denoise runs out of memory on a single sample: full") as caught:
        function(OutOfMemory(0, MemoryError("full"))).run(ddim(SD, LEVELS), 8, 1)
    assert str(caught.value.__cause__) == "full"


def test_other_errors_are_no_lack_of_memory():
    denoise = OutOfMemory(2, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1"):
        function(denoise).run(ddim(SD, LEVELS), 8, 1)
    assert denoise.sizes == [8]


def yields(count):
    def steps(eps):
        for _ in range(count):
            yield eps
        return "done"

    return Program([0.0, 1.0], steps)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (yields(0), "program.steps yields no x, but program.lambdas has 2 entries"),
        (yields(1), "program.steps ends after 1 x, but program.lambdas has 2 entries"),
        (yields(3), "program.steps yields more x than program.lambdas has entries, 2"),
        (Program([], yields(1).steps), "lambdas must not be empty"),
        (Program([0.0, 50.0], yields(2).steps), r"lambdas\[1\] must be within the noise schedule's range .*, got 50"),
        (Program([math.nan], yields(1).steps), r"lambdas\[0\] must be within the noise schedule's range .*, got nan"),
        (Program([0.0], lambda eps: iter_once(2.0 * eps)), r"must first yield initial\(noise, eps, lambdas\[0\]\)"),
        (Program([0.0], lambda eps: iter_once(eps[:1])), r"x at lambdas\[0\] must be .* shape \(2, 2, 3\), got .*\(1,"),
        (Program([0.0], lambda eps: iter_once(np.nan * eps)), r"x at lambdas\[0\] holds NaN"),
        (
            Program([0.0, 1.0], lambda eps: iter_twice(eps, eps[:, 1:])),
            r"x at lambdas\[1\] must be .* got .*\(2, 1, 3\)",
        ),
        (Program([0.0], lambda eps: iter_once(eps + 0j)), r"x at lambdas\[0\] must be floating-point"),
    ],
)
def test_bad_programs(program, message):
    with pytest.raises(ValueError, match=message):
        function().run(program, 2, 0)


def iter_once(x):
    yield x


def iter_twice(x, following):
    yield x
    yield following


def test_good_programs():
    assert function(batch=1).run(yields(2), 3, 0) == ["done"] * 3
    assert function(batch=2).run(Program([0.0], iter_once), 3, 0) == [None, None]
    # any order, repetitions, both ends
    low, high = SD.lambda_range
    assert len(function().run(ddim(SD, [low, high, 0.0, 0.0]), 2, 0)) == 1


def test_the_start_of_ve_is_scaled():
    with pytest.raises(ValueError, match="must first yield initial"):
        function(noise=NOISES["ve"]).run(Program([-4.0], iter_once), 2, 0)


@pytest.mark.parametrize(
    ("count", "seed", "message"),
    [
        (0, 0, r"count must be in 1[.][.].*, got 0"),
        (2.0, 0, "count must be an integer"),
        (2, -1, "seed must be in 0"),
        (2, None, "seed must be an integer, got None"),
    ],
)
def test_bad_counts(count, seed, message):
    with pytest.raises(ValueError, match=message):
        function().run(yields(2), count, seed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": 3}, "shape must be the shape of one sample"),
        ({"shape": (3, 0)}, r"shape\[1\] must be in 1[.][.].*, got 0"),
        ({"batch": 0}, "batch must be in 1[.][.].*, got 0"),
        ({"dtype": "float32"}, "dtype='float32' must be left out without a device"),
        ({"noise": "sd21"}, "noise must be an hso.NoiseSchedule, got 'sd21'"),
    ],
)
def test_bad_options(options, message):
    given = {"noise": SD, "shape": SHAPE, **options}
    with pytest.raises(ValueError, match=message):
        CallableNetwork(gaussian(SD), given.pop("noise"), **given)


def test_as_network():
    network = as_network(gaussian(SD), SD, shape=SHAPE, batch=2)
    assert isinstance(network, CallableNetwork) and isinstance(network, Network)
    assert len(network.run(yields(2), 4, 0)) == 2
    assert as_network(network) is network


@pytest.mark.parametrize(
    ("source", "noise", "options", "error", "message"),
    [
        (gaussian(SD), SD, {}, ValueError, r"shape must be given for a function denoise\(x, lam\)"),
        (gaussian(SD), None, {"shape": SHAPE}, ValueError, "noise must be given"),
        (gaussian(SD), SD, {"shape": SHAPE, "call": {}}, ValueError, r"call=\{\} must be left out for a function"),
        (function(), SD, {}, ValueError, "noise=.* must be left out for a Network"),
        (function(), None, {"batch": 3}, ValueError, "batch=3 must be left out for a Network"),
        (3.0, SD, {"shape": SHAPE}, TypeError, r"source must be a function .*, got float"),
    ],
)
def test_as_network_refuses(source, noise, options, error, message):
    with pytest.raises(error, match=message):
        as_network(source, noise, **options)


class TestTorch:
    """Functions on torch tensors."""

    torch = property(lambda self: pytest.importorskip("torch"))

    @pytest.mark.parametrize(
        ("dtype", "tolerance"),
        [(None, 1e-6), ("float16", 2e-3), ("bfloat16", 2e-2), ("float32", 1e-6), ("float64", 1e-14)],
    )
    def test_tensors(self, dtype, tolerance):
        seen = []

        def denoise(x, lam):
            seen.append((x.dtype, x.device.type, self.torch.is_grad_enabled(), type(lam)))
            return gaussian(SD)(x, lam)

        network = function(denoise, device="cpu", dtype=dtype)
        x = draw(0, 3)
        x0 = network.ask(x, 0.3)
        assert x0.dtype == (np.float64 if dtype == "float64" else np.float32)
        np.testing.assert_allclose(x0, gaussian(SD)(x, 0.3), atol=3.0 * tolerance)
        assert seen == [(getattr(self.torch, dtype or "float32"), "cpu", False, float)]
        assert noise_of(network, 2, 0).dtype == x0.dtype
        np.testing.assert_allclose(noise_of(network, 2, 0), draw(0, 2), rtol=1e-6)

    def test_dtype_and_device_as_torch_has_them(self):
        torch = self.torch
        network = function(device=torch.device("cpu"), dtype=torch.float16)
        assert network.ask(draw(0, 2), 0.0).dtype == np.float32

    def test_gradients_are_left_behind(self):
        weight = self.torch.nn.Parameter(self.torch.tensor(0.5))

        def denoise(x, lam):
            with self.torch.enable_grad():
                return weight * x

        np.testing.assert_allclose(
            function(denoise, device="cpu").ask(draw(0, 2), 0.0), 0.5 * draw(0, 2), rtol=1e-6
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("answer", "error", "message"),
        [
            (lambda x: x.numpy(), TypeError, "denoise must give a torch.Tensor, got ndarray"),
            (lambda x: (x,), TypeError, "denoise must give a torch.Tensor, got tuple"),
            (lambda x: x * 1j, ValueError, "denoise must give real numbers, got torch.complex64"),
            (lambda x: x[..., 1:], ValueError, r"denoise must give shape \(4, 2, 3\), got \(4, 2, 2\)"),
            (lambda x: x * float("inf"), ValueError, "NaN or infinity at lam = -2 in 4 of 4 samples"),
        ],
    )
    def test_bad_answers(self, answer, error, message):
        _ = self.torch
        with pytest.raises(error, match=message):
            function(lambda x, lam: answer(x), device="cpu").run(ddim(SD, LEVELS), 4, 0)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"device": "abacus"}, "device must be a torch device or its name, got 'abacus'"),
            ({"device": "cpu", "dtype": "float7"}, "dtype must be a floating-point torch.dtype .*, got 'float7'"),
            ({"device": "cpu", "dtype": "int64"}, "dtype must be a floating-point"),
            ({"device": "cpu", "dtype": np.float32}, "dtype must be a floating-point"),
        ],
    )
    def test_bad_options(self, options, message):
        _ = self.torch
        with pytest.raises(ValueError, match=message):
            function(**options)

    @pytest.mark.parametrize(
        "name", ["OutOfMemoryError", "cuda.OutOfMemoryError", "RuntimeError", "cpu"], ids=lambda name: name
    )
    def test_out_of_memory(self, name):
        torch = self.torch
        error = {
            "OutOfMemoryError": getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)("full"),
            "cuda.OutOfMemoryError": torch.cuda.OutOfMemoryError("full"),
            "RuntimeError": RuntimeError("MPS backend out of memory"),
            "cpu": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        }[name]
        denoise = OutOfMemory(2, error)
        network = function(denoise, device="cpu")
        ((samples, _),) = network.run(ddim(SD, LEVELS), 4, 1)
        assert denoise.sizes == [4, *[2] * 8]
        assert network.evaluations == 16
        np.testing.assert_allclose(samples, pixelwise(SD, LEVELS, draw(1, 4)), rtol=1e-4)
        with pytest.raises(MemoryError, match="single sample"):
            function(OutOfMemory(0, error), device="cpu").run(ddim(SD, LEVELS), 4, 1)

    @pytest.mark.cuda
    def test_on_a_gpu(self):
        if not self.torch.cuda.is_available():
            pytest.skip("needs a GPU")
        network = function(device="cuda", dtype="float16")
        x = draw(0, 3)
        np.testing.assert_allclose(network.ask(x, 0.3), gaussian(SD)(x, 0.3), atol=5e-3)
