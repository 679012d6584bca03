"""Units told apart: closed forms, the inert null's size and power, and modularity of graphs and layers."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.effect_matrix import EffectMatrix, markers_of
from causalvae.effects.modularity import activation_modularity, find_communities, graph_modularity, newman_modularity
from causalvae.effects.units import OutputChanges, classify_units, inert_p, polysemantic_share
from causalvae.plan.owner import Owner

FACTORS = ("scale", "x", "y", "angle")


def make_matrix(sizes: np.ndarray, n: int = 200, spread: float = 0.1, seed: int = 0) -> EffectMatrix:
    """Squares whose root mean square is near `sizes`, (components, outcomes), and that vary by `spread`."""
    rng = np.random.default_rng(seed)
    draws = np.abs(sizes[:, :, None] * (1 + spread * rng.standard_normal((*sizes.shape, n))))
    names = tuple(f"latent[{k}]" for k in range(len(sizes)))
    return EffectMatrix(
        Owner.intervention("perturb"),
        "",
        "quantile",
        "",
        names,
        ("unit",) * len(names),
        FACTORS[: sizes.shape[1]],
        draws**2,
    )


def test_units_are_what_they_were_made_to_be() -> None:
    sizes = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [0.02, 0.01, 0, 0], [1.0, 0.04, 0, 0]], dtype=float)
    roles = classify_units(make_matrix(sizes), PairedBootstrap(200, 500, 0.95, 3), tolerance=0.1)
    assert [role.role for role in roles] == ["monosemantic", "polysemantic", "polysemantic", "inert", "monosemantic"]
    assert [role.breadth for role in roles[:3]] == pytest.approx([1, 2, 4], abs=0.01)
    assert roles[0].on == "scale" and roles[0].largest == pytest.approx(1, abs=0.05)
    for role in roles:
        assert role.lower is not None and role.upper is not None
        assert role.lower <= role.breadth <= role.upper
    assert polysemantic_share(roles) == pytest.approx((0.5, 0.5, 0.5))


def test_a_breadth_that_the_pairs_do_not_settle_is_undecided() -> None:
    # p = (1, s) / (1 + s) has exp(H) = 1.5 at s = 0.163.
    roles = classify_units(
        make_matrix(np.array([[1.0, 0.163]]), n=30, spread=0.7, seed=1), PairedBootstrap(30, 500, 0.95, 3), 0.05
    )
    assert roles[0].role == "undecided"
    share = polysemantic_share(roles)
    assert share == (0.0, 0.0, 1.0)


def test_no_unit_can_be_told_by_one_outcome() -> None:
    assert classify_units(make_matrix(np.ones((3, 1))), PairedBootstrap(200, 50), tolerance=0.1) == []


def test_without_outcomes_nothing_is_told() -> None:
    matrix = make_matrix(np.empty((3, 0)), n=20)
    assert classify_units(matrix, PairedBootstrap(20, 50), tolerance=0.1) == []
    assert graph_modularity(matrix, PairedBootstrap(20, 50), seed=0) is None
    assert matrix.sizes.shape == (3, 0)


def test_all_inert_has_no_share() -> None:
    roles = classify_units(make_matrix(np.full((3, 2), 1e-3)), PairedBootstrap(200, 50), tolerance=0.1)
    assert {role.role for role in roles} == {"inert"}
    assert polysemantic_share(roles) is None


def test_a_unit_that_moves_the_output_alone_is_not_inert() -> None:
    sizes = np.array([[1e-3, 1e-3], [1e-3, 1e-3], [1.0, 1e-3]])
    rng = np.random.default_rng(4)
    # A sprite that turns: no declared attribute moves, and the image does, by 3.2 in its own unit.
    lengths = np.array([[3.2], [1e-3], [5.0]]) * (1 + 0.1 * rng.standard_normal((3, 200)))
    bootstrap = PairedBootstrap(200, 100, 0.95, 3)
    roles = classify_units(make_matrix(sizes), bootstrap, 0.1, output=OutputChanges(lengths**2, sd=10.0))
    assert [role.role for role in roles] == ["undeclared", "inert", "monosemantic"]
    assert [role.moves_declared for role in roles] == [False, False, True]
    assert roles[0].output == pytest.approx(3.2, abs=0.1)
    assert roles[0].output_share == pytest.approx(0.32, abs=0.01)
    assert polysemantic_share(roles) == pytest.approx((0.0, 0.0, 0.0))
    # The same change is nothing beside an output that varies a thousand times as much.
    still = classify_units(make_matrix(sizes), bootstrap, 0.1, output=OutputChanges(lengths**2, sd=1e4))
    assert still[0].role == "inert"


def test_the_inert_null_keeps_its_size_and_has_power() -> None:
    rng = np.random.default_rng(7)
    tolerance, n, repeats = 0.1, 100, 2000
    # At the border of the null: E[change^2] = tolerance^2 on one factor, nothing on the others.
    squares = np.zeros((repeats, 4, n))
    squares[:, 0] = (tolerance * rng.standard_normal((repeats, n))) ** 2
    at_border = float((inert_p(squares, tolerance) <= 0.05).mean())
    assert at_border <= 0.05
    squares[:, 0] = (1.5 * tolerance * rng.standard_normal((repeats, n))) ** 2
    assert float((inert_p(squares, tolerance) <= 0.05).mean()) > 0.8
    assert (inert_p(np.zeros((3, 4, n)), tolerance) == 1).all()


def test_attributes_are_gathered_by_the_factor_that_alone_points_at_them() -> None:
    edges = [("scale", "area"), ("scale", "width"), ("x", "place"), ("scale", "shade"), ("x", "shade"), ("scale", "x")]
    markers = markers_of(edges, ("scale", "x"))
    assert markers == {"scale": ("area", "width"), "x": ("place",)}
    # Where nothing else stands for either of two factors, what both point at stands for them together.
    joint = markers_of([("shape", "area"), ("scale", "area"), ("x", "place")], ("scale", "shape", "x"))
    assert joint == {"x": ("place",), "scale + shape": ("area",)}
    squares = np.arange(1.0, 1 + 2 * 4 * 3).reshape(2, 4, 3)
    squares[0, 0, 0] = np.nan
    matrix = EffectMatrix("o", "", "", "", ("a", "b"), ("unit",) * 2, ("area", "place", "width", "shade"), squares)
    gathered = matrix.over_factors(markers)
    assert gathered.outcomes == ("scale", "x") and gathered.over == "factors"
    assert gathered.squares[:, 1] == pytest.approx(squares[:, 1])
    expected = (squares[:, 0] + squares[:, 2]) / 2
    expected[0, 0] = squares[0, 2, 0]
    assert gathered.squares[:, 0] == pytest.approx(expected)
    assert matrix.over_factors({"scale": ("area",)}) is matrix


def test_sizes_equal_a_loop_where_effects_are_undefined() -> None:
    matrix = make_matrix(np.ones((2, 2)), n=12, spread=0.5)
    matrix.squares[0, 1, [2, 5]] = np.nan
    for k in range(2):
        for a in range(2):
            assert matrix.sizes[k, a] == pytest.approx(np.sqrt(np.nanmean(matrix.squares[k, a])))


@pytest.mark.parametrize("latents", [2, 3, 4])
def test_graph_modularity_of_a_perfect_code(latents: int) -> None:
    matrix = make_matrix(np.eye(latents), spread=0.0)
    found = graph_modularity(matrix, PairedBootstrap(200, 50), seed=0)
    assert found is not None
    interval, communities = found
    assert interval.value[0] == pytest.approx(1 - 1 / latents)
    assert communities == latents


def test_graph_modularity_is_networkx_and_zero_without_structure() -> None:
    rng = np.random.default_rng(5)
    weights = rng.random((5, 4))
    rows, columns = find_communities(weights, 0)
    graph: nx.Graph[int] = nx.Graph()
    graph.add_weighted_edges_from((i, 5 + j, weights[i, j]) for i in range(5) for j in range(4))
    labels = np.concatenate([rows, columns])
    sets = [set(np.flatnonzero(labels == k).tolist()) for k in np.unique(labels)]
    expected = nx.community.modularity(graph, sets, weight="weight")
    assert newman_modularity(weights[:, :, None], rows, columns)[0] == pytest.approx(expected)
    even = graph_modularity(make_matrix(np.ones((4, 4)), spread=0.0), PairedBootstrap(200, 50), seed=0)
    assert even is not None and even[0].value[0] == pytest.approx(0, abs=1e-9)


def test_activation_modularity_is_one_less_the_mean_overlap() -> None:
    overlaps = np.array([[0.0, 0.5, np.nan], [1.0, np.nan, 0.0], [np.nan, np.nan, np.nan]])
    found = activation_modularity(overlaps, PairedBootstrap(3, 200))
    assert found is not None
    # Each pair of latents weighs the same; the third has no sample in which both change anything.
    assert found.value[0] == pytest.approx(1 - (0.25 + 0.5) / 2)
    assert activation_modularity(np.full((2, 3), np.nan), PairedBootstrap(3, 20)) is None
