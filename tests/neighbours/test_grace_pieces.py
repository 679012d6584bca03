"""Graph convolutions by hand, the discrepancy against a closed form, graphs scored by hand, the order of targets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from causalvae.errors import CausalVAEError
from causalvae_neighbours.grace.discrepancy import multi_kernel_mmd
from causalvae_neighbours.grace.graph_convolution import GraphConvolution, GraphEncoder, normalise_adjacency
from causalvae_neighbours.grace.network import grace_vae
from causalvae_neighbours.grace.recovery import (
    best_relabelling,
    match_latents,
    random_graphs,
    relabel,
    score_edges,
    standardise,
)
from causalvae_neighbours.grace.simulation import WorldShape, build_world, draw_cells
from causalvae_neighbours.grace.warm_start import measure_reach

# A path of three genes, 0 - 1 - 2.
PATH = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])


def test_the_adjacency_is_normalised_by_both_ends() -> None:
    # Degrees with loops: 2, 3, 2.
    side, middle, apart = 1 / math.sqrt(6), 1 / 3, 1 / 2
    expected = [[apart, side, 0.0], [side, middle, side], [0.0, side, apart]]
    assert torch.allclose(normalise_adjacency(PATH), torch.tensor(expected))
    assert torch.equal(normalise_adjacency(torch.zeros(3, 3)), torch.eye(3))


def test_a_graph_convolution_by_hand() -> None:
    layer = GraphConvolution(normalise_adjacency(PATH), 1, 2)
    with torch.no_grad():
        layer.mix.weight.copy_(torch.tensor([[2.0], [-1.0]]))
        layer.mix.bias.copy_(torch.tensor([0.0, 1.0]))
    x = torch.tensor([[[6.0], [0.0], [-6.0]]])
    # Averages: 6 / 2, (6 - 6) / sqrt 6, -6 / 2.
    assert torch.allclose(layer(x), torch.tensor([[[6.0, -2.0], [0.0, 1.0], [-6.0, 4.0]]]), atol=1e-6)


def test_messages_travel_one_edge_a_convolution() -> None:
    torch.manual_seed(0)
    chain = torch.diag(torch.ones(5), 1) + torch.diag(torch.ones(5), -1)
    encoder = GraphEncoder(normalise_adjacency(chain), 2)
    x = torch.rand(1, 6)
    moved = x.clone()
    moved[0, 0] += 1.0
    one = (encoder.conv1(moved[:, :, None]) - encoder.conv1(x[:, :, None])).abs().sum(2)[0] > 1e-6
    assert one.tolist() == [True, True, False, False, False, False]
    seen = []
    encoder.conv2.register_forward_hook(lambda module, given, value: seen.append(value))
    encoder(x), encoder(moved)
    two = (seen[1] - seen[0]).abs().sum(2)[0] > 1e-6
    assert two.tolist() == [True, True, True, False, False, False]


def test_a_gene_network_must_be_one() -> None:
    for network in (torch.ones(3, 3), torch.rand(3, 3), torch.zeros(3, 2), torch.tensor([[0.0, 1.0], [0.0, 0.0]])):
        with pytest.raises(CausalVAEError) as caught:
            grace_vae(network, 2, torch.ones(1))
        assert caught.value.code == "CV138"


def test_the_discrepancy_is_the_naive_sum_over_pairs_and_kernels() -> None:
    source = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 5, 3, generator=source), torch.randn(2, 7, 3, generator=source) + 0.5

    def k(x: torch.Tensor, y: torch.Tensor) -> float:
        gap = float((x - y).square().sum())
        return sum(math.exp(-gap / (c * 2.0)) for c in (0.25, 0.5, 1.0, 2.0, 4.0)) / 5

    for one, other, found in zip(a, b, multi_kernel_mmd(a, b, 2.0), strict=True):
        within_one = sum(k(x, y) for i, x in enumerate(one) for j, y in enumerate(one) if i != j) / (5 * 4)
        within_other = sum(k(x, y) for i, x in enumerate(other) for j, y in enumerate(other) if i != j) / (7 * 6)
        between = sum(k(x, y) for x in one for y in other) / (5 * 7)
        assert float(found) == pytest.approx(within_one + within_other - 2 * between, abs=1e-5)


def test_the_discrepancy_of_two_gaussians_is_the_closed_form() -> None:
    """a - b ~ N(delta, 2 sigma^2 I): E exp(-|a-b|^2 / h) = s^(-d/2) exp(-|delta|^2 / (h s)), s = 1 + 4 sigma^2 / h."""
    d, sigma, shift, repeats = 4, 0.7, 0.9, 40
    source = torch.Generator().manual_seed(2)
    draws = sigma * torch.randn(repeats, 2, 100, d, generator=source)
    true = 0.0
    for c in (0.25, 0.5, 1.0, 2.0, 4.0):
        h = 3.0 * c
        true += 2 * (1 + 4 * sigma**2 / h) ** (-d / 2) * (1 - math.exp(-(shift**2) / (h + 4 * sigma**2))) / 5
    for delta, expected in ((torch.zeros(d), 0.0), (torch.tensor([shift, 0.0, 0.0, 0.0]), true)):
        found = multi_kernel_mmd(draws[:, 0], draws[:, 1] + delta, 3.0)
        error = float(found.std()) / math.sqrt(repeats)
        assert abs(float(found.mean()) - expected) < 3.5 * error
    assert true > 20 * error


def test_graphs_are_scored_by_hand() -> None:
    true = np.zeros((4, 4), dtype=bool)
    true[0, 1] = true[1, 2] = true[0, 3] = True
    found = np.zeros_like(true)
    found[0, 1] = found[2, 1] = found[2, 3] = True  # right, reversed, spurious; 0 -> 3 is missing
    score = score_edges(found, true)
    assert (score.shd, score.precision, score.recall) == (3, 1 / 3, 1 / 3)
    assert score.f1 == pytest.approx(1 / 3)
    assert score_edges(true, true).shd == 0 and score_edges(true, true).f1 == 1.0
    order = np.array([2, 0, 3, 1])
    assert score_edges(true[np.ix_(order, order)], true).shd > 0
    assert best_relabelling(true[np.ix_(order, order)], true).shd == 0
    assert all(graph.sum() == 3 and not np.linalg.matrix_power(graph.astype(int), 4).any() for graph in _by_chance())


def _by_chance() -> list[np.ndarray]:
    return random_graphs(4, 3, 20, seed=0)


def test_latents_are_matched_and_named() -> None:
    rng = np.random.default_rng(0)
    true = rng.standard_normal((500, 3))
    found = np.stack([-2.0 * true[:, 2] + 1.0, true[:, 0] ** 3, np.zeros(500)], axis=1)
    programme_of, correlation = match_latents(found, true)
    assert programme_of.tolist() == [2, 0, 1]
    assert correlation[0] == pytest.approx(1.0) and 0.6 < correlation[1] < 0.9 and correlation[2] == 0.0
    named = relabel(np.arange(9).reshape(3, 3), programme_of)
    assert named[2, 0] == 1 and named[0, 1] == 5 and named[1, 1] == 8


def test_effects_are_in_standard_deviations() -> None:
    values = np.array([[1.0, 0.0], [-1.0, 4.0]])
    effects = standardise(np.array([[0.0, 2.0], [0.0, 0.0]]), values, values)
    assert effects.tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_means_alone_put_targets_in_a_causal_order() -> None:
    world = build_world(WorldShape(seed=1))
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.zeros(2000, dtype=np.int64), np.repeat(np.array(world.singles), 300)])
    x = draw_cells(world, codes, rng).expression
    reach = measure_reach(x[:2000], x[2000:].reshape(world.guides, 300, -1), 6)
    place = {}
    for guide, target in enumerate(world.targets.tolist()):
        assert place.setdefault(target, reach.places[guide]) == reach.places[guide]
    assert sorted(place.values()) == list(range(6))
    assert all(place[i] < place[j] for i, j in np.argwhere(world.adjacency != 0.0).tolist())
