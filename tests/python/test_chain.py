"""The cheapest chains against all subsets, plain dynamic programming and SciPy's shortest paths."""

import itertools
import threading

import numpy as np
import pytest
from scipy.sparse.csgraph import bellman_ford

import hso
from hso.chain import Chain, shortest_chains, shortest_chains_with_memory

INF = float("inf")


def random_costs(rng, *shape):
    """Of either sign, some forbidden."""
    costs = rng.uniform(-1.0, 2.0, shape)
    costs[rng.random(shape) < 0.15] = INF
    return costs


def all_chains(points, edge, max_edges, start=None, end=None, t=None, spacing=0.0, discount=1.0):
    """The cheapest of all subsets of the points; edge(i, j, k) of j to k after i, which is None for a first edge."""
    start = np.where(np.arange(points) == 0, 0.0, INF) if start is None else start
    end = np.where(np.arange(points) == points - 1, 0.0, INF) if end is None else end
    best = []
    for edges in range(1, max_edges + 1):
        least = Chain(np.array([], dtype=np.int64), INF)
        for nodes in itertools.combinations(range(points), edges + 1):
            if t is not None and min(t[a] - t[b] for a, b in itertools.pairwise(nodes)) < spacing:
                continue
            before = (None, *nodes)
            rest = end[nodes[-1]]
            for i, j, k in reversed(list(zip(before, nodes, nodes[1:], strict=False))):
                rest = edge(i, j, k) + discount * rest
            if start[nodes[0]] + rest < least.cost:
                least = Chain(np.array(nodes), float(start[nodes[0]] + rest))
        best.append(least)
    return best


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.nodes.dtype == np.int64
        assert one.nodes.tolist() == other.nodes.tolist()
        assert one.cost == other.cost


def random_settings(rng, points):
    settings = {}
    if rng.random() < 0.5:
        settings["start"] = random_costs(rng, points)
    if rng.random() < 0.5:
        settings["end"] = random_costs(rng, points)
    if rng.random() < 0.5:
        settings |= {"t": np.sort(rng.random(points))[::-1], "spacing": rng.uniform(0.0, 3.0 / points)}
    if rng.random() < 0.5:
        settings["discount"] = rng.uniform(0.2, 1.5)
    return settings


@pytest.mark.parametrize("seed", range(40))
def test_the_cheapest_of_all_subsets(seed):
    rng = np.random.default_rng(seed)
    points = int(rng.integers(2, 10))
    settings = random_settings(rng, points)
    cost = random_costs(rng, points, points)
    found = shortest_chains(cost, max_edges=points + 1, **settings)
    assert_same(found, all_chains(points, lambda _, j, k: cost[j, k], points + 1, **settings))


@pytest.mark.parametrize("seed", range(40))
def test_with_memory_the_cheapest_of_all_subsets(seed):
    rng = np.random.default_rng(seed)
    points = int(rng.integers(2, 9))
    settings = random_settings(rng, points)
    cost, first = random_costs(rng, points, points, points), random_costs(rng, points, points)
    found = shortest_chains_with_memory(cost, first, max_edges=points + 1, **settings)
    expected = all_chains(points, lambda i, j, k: first[j, k] if i is None else cost[i, j, k], points + 1, **settings)
    assert_same(found, expected)


def test_plain_dynamic_programming():
    rng = np.random.default_rng(1)
    points, discount = 200, 1.15
    cost = random_costs(rng, points, points)
    end = random_costs(rng, points)
    found = shortest_chains(cost, max_edges=20, end=end, discount=discount)
    upper = np.where(np.triu(np.ones((points, points), dtype=bool), 1), cost, INF)
    rest = end
    for n, chain in enumerate(found):
        rest = np.min(upper + discount * rest, axis=1)
        assert chain.cost == rest[0]
        assert chain.nodes.size == n + 2 and np.all(np.diff(chain.nodes) > 0)


def test_the_cheapest_for_any_number_of_edges_is_scipys_shortest_path():
    rng = np.random.default_rng(2)
    points = 200
    cost = np.triu(rng.uniform(0.1, 5.0, (points, points)) * np.arange(1, points + 1) ** 0.5, 1)
    expected = bellman_ford(cost, indices=0)[-1]
    found = min(shortest_chains(cost, max_edges=points - 1), key=lambda chain: chain.cost)
    assert found.cost == pytest.approx(expected, rel=1e-13)
    assert cost[found.nodes[:-1], found.nodes[1:]].sum() == pytest.approx(expected, rel=1e-13)


def test_without_dependence_on_the_node_before_memory_changes_nothing():
    rng = np.random.default_rng(3)
    cost = random_costs(rng, 40, 40)
    t = np.linspace(1.0, 0.0, 40)
    for settings in ({}, {"discount": 0.9}, {"t": t, "spacing": 0.05, "start": np.zeros(40)}):
        with_memory = shortest_chains_with_memory(np.broadcast_to(cost, (40, 40, 40)), cost, max_edges=15, **settings)
        assert_same(with_memory, shortest_chains(cost, max_edges=15, **settings))


def test_convex_costs_spread_the_nodes_evenly():
    lam = np.linspace(-3.0, 3.0, 121)
    chains = shortest_chains((lam[None, :] - lam[:, None]) ** 2, max_edges=12)
    for n in (1, 2, 3, 4, 5, 6, 8, 10, 12):
        np.testing.assert_array_equal(chains[n - 1].nodes, np.linspace(0, 120, n + 1))
        assert chains[n - 1].cost == pytest.approx(36.0 / n, rel=1e-12)


def test_mep_of_a_grid_is_no_better_than_the_optimum():
    noise = hso.NoiseSchedule.vp_linear()
    schedule = hso.optimize(noise, 6, terminal="t_min", d_min=0.0, t_min=(0.02, 0.02), t_max=(0.98, 0.98))
    lam = np.linspace(noise.lam(0.98), noise.lam(0.02), 300)
    cost = np.full((300, 300), INF)
    for i, j in itertools.combinations(range(300), 2):
        cost[i, j] = hso.mep(noise, lam[[i, j]])
    chain = shortest_chains(cost, max_edges=6)[-1]
    assert hso.mep(noise, lam[chain.nodes]) == pytest.approx(chain.cost, rel=1e-13)
    assert schedule.mep * (1.0 - 1e-9) < chain.cost < schedule.mep * 1.001


def test_two_points_and_more_edges_than_there_are():
    chains = shortest_chains([[np.nan, -2], [np.nan, np.nan]], max_edges=3)
    assert [chain.nodes.tolist() for chain in chains] == [[0, 1], [], []]
    assert [chain.cost for chain in chains] == [-2.0, INF, INF]
    assert shortest_chains_with_memory(np.full((2, 2, 2), np.nan), [[0, 5], [0, 0]], max_edges=1)[0].cost == 5.0


def test_ties_go_to_the_lowest_nodes():
    free = np.zeros(7)
    chains = shortest_chains(np.ones((7, 7)), max_edges=3, start=free, end=free)
    assert [chain.nodes.tolist() for chain in chains] == [[0, 1], [0, 1, 2], [0, 1, 2, 3]]


def test_no_chain_and_the_spacing():
    one = np.ones((3, 3))
    t = [0.9, 0.5, 0.1]
    assert shortest_chains(one, max_edges=2, t=t, spacing=0.4)[1].nodes.tolist() == [0, 1, 2]
    assert shortest_chains(one, max_edges=2, t=t, spacing=0.41)[1].cost == INF
    assert shortest_chains(np.full((3, 3), INF), max_edges=1)[0].nodes.size == 0


def test_any_layout_and_type_of_array():
    rng = np.random.default_rng(4)
    cost = rng.integers(-5, 9, (30, 30))
    expected = shortest_chains(cost.astype(float), max_edges=5)
    for other in (cost, np.asfortranarray(cost), cost.astype(np.float32), cost.tolist()):
        assert_same(shortest_chains(other, max_edges=5), expected)


def test_many_threads_at_once():
    cost = random_costs(np.random.default_rng(5), 300, 300)
    expected = shortest_chains(cost, max_edges=10)
    found = [None] * 4

    def work(i):
        found[i] = shortest_chains(cost, max_edges=10)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for chains in found:
        assert_same(chains, expected)


ONE = np.ones((3, 3))
CUBE = np.ones((3, 3, 3))


def with_entry(array, where, value):
    changed = array.copy()
    changed[where] = value
    return changed


@pytest.mark.parametrize(
    ("cost", "settings", "message"),
    [
        (np.ones((3, 4)), {}, r"cost must have shape \(M, M\) with M at least 2, got \(3, 4\)"),
        (np.ones(9), {}, r"cost must have shape"),
        ([[1.0]], {}, r"cost must have shape"),
        (CUBE, {}, r"cost must have shape"),
        ([["a", "b"], ["c", "d"]], {}, "cost must be real numbers"),
        (with_entry(ONE, (0, 2), np.nan), {}, r"cost\[0\]\[2\] must be a finite number or infinity, got nan"),
        (with_entry(ONE, (1, 2), -np.inf), {}, r"cost\[1\]\[2\] must be a finite number or infinity, got -inf"),
        (ONE, {"max_edges": 0}, "max_edges must be in 1..10000, got 0"),
        (ONE, {"max_edges": 10001}, "max_edges must be in 1..10000"),
        (ONE, {"max_edges": 2.0}, "max_edges must be an integer"),
        (ONE, {"start": [0.0, 1.0]}, r"start must have shape \(3,\), got \(2,\)"),
        (ONE, {"end": np.ones((3, 1))}, "end must have one dimension"),
        (ONE, {"end": []}, r"end must have shape \(3,\)"),
        (ONE, {"start": [0.0, np.nan, 0.0]}, r"start\[1\] must be"),
        (ONE, {"end": [0.0, 0.0, -np.inf]}, r"end\[2\] must be"),
        (ONE, {"spacing": 0.1}, "t must be 3 long, got 0 entries"),
        (ONE, {"spacing": -0.1}, "spacing must be finite and >= 0, got -0.1"),
        (ONE, {"spacing": np.nan}, "spacing must be"),
        (ONE, {"t": [1.0, 0.5]}, "t must have shape"),
        (ONE, {"t": [1.0, 0.5, 0.5]}, r"t\[2\] must be finite and below the entry before, got 0.5"),
        (ONE, {"t": [np.inf, 0.5, 0.1]}, r"t\[0\] must be finite, got inf"),
        (ONE, {"discount": 0.0}, "discount must be positive and finite, got 0"),
        (ONE, {"discount": "1"}, "discount must be a real number"),
    ],
)
def test_bad_arguments_are_refused(cost, settings, message):
    with pytest.raises(ValueError, match=message):
        shortest_chains(cost, **{"max_edges": 2, **settings})


@pytest.mark.parametrize(
    ("cost", "first", "message"),
    [
        (ONE, ONE, r"cost must have shape \(M, M, M\) with M at least 2"),
        (np.ones((3, 3, 4)), ONE, "cost must have shape"),
        (CUBE, np.ones((3, 2)), "first must have shape"),
        (CUBE, np.ones((4, 4)), r"first must have shape \(3, 3\), got \(4, 4\)"),
        (with_entry(CUBE, (0, 1, 2), np.nan), ONE, r"cost\[0\]\[1\]\[2\] must be a finite number or infinity, got nan"),
        (CUBE, with_entry(ONE, (0, 1), np.nan), r"first\[0\]\[1\] must be a finite number or infinity, got nan"),
    ],
)
def test_bad_costs_with_memory_are_refused(cost, first, message):
    with pytest.raises(ValueError, match=message):
        shortest_chains_with_memory(cost, first, max_edges=2)
