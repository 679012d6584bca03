"""Latents are found by setting a factor, and tested on other pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalvae.data.factors import Factor, FactorSpace, Rows
from causalvae.data.grid import Grid
from causalvae.data.pairs import draw_pairs
from causalvae.errors import CausalVAEError
from causalvae.latent_effects import LatentEffects
from causalvae.latent_search import best_of, find_latents, half_samples, place_found
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.readouts import Readout, build_readouts
from causalvae.readouts.kinds.column import ColumnReadout
from causalvae.report.selection_words import found_words, selection_words
from causalvae.spec import parse_spec
from causalvae.spec.columns import Columns as DataColumns
from causalvae.spec.schema import Spec

SPEC = """
spec: causalvae/v1
name: found
model: {{source: zoo, weights: builtin://dsprites-disentangled}}
data: {{source: dsprites, samples: 16}}
graph:
  factors: [{factors}]
  attributes: {{area: {{readout: area}}}}
  edges: []
mapping: {mapping}
"""


class Columns(Grid):
    """Inputs that are their factors' values."""

    name = "columns"
    # A world that can be asked without end: pairs may repeat.
    size = None
    space = FactorSpace((Factor("x", "ordinal", (-1.0, 0.0, 1.0)), Factor("y", "ordinal", (-2.0, -1.0, 0.0, 1.0, 2.0))))
    input_shape = (2,)

    def inputs(self, rows: Rows) -> Tensor:
        return torch.from_numpy(self.values(rows)).float()


class Encoder(nn.Module):
    """mu = (2x + y, -y, 0.001x, 0) with log-variances (-4, -4, 0, 0): the third follows x alone, and is dead."""

    def forward(self, values: Tensor) -> Tensor:
        x, y = values[:, 0], values[:, 1]
        mean = torch.stack([2 * x + y, -y, 0.001 * x, 0 * x], dim=1)
        return torch.cat([mean, 0 * mean + torch.tensor([-4.0, -4.0, 0.0, 0.0])], dim=1)


@pytest.fixture(scope="module")
def model() -> Model:
    vae = VAE(Encoder(), nn.Linear(4, 2), 4, (2,), activation="none", likelihood="gaussian")
    return assemble(vae, False, "hand-made", {})


def _spec(mapping: str, factors: str = "x, y") -> Spec:
    spec, faults = parse_spec(SPEC.format(mapping=mapping, factors=factors))
    assert spec is not None, faults
    return spec


def test_the_latent_that_moves_most_is_found_and_a_dead_one_is_not(model: Model) -> None:
    found = find_latents(_spec("{x: {find: {by: movement}}, y: {find: {count: 2, by: movement}}}"), model, Columns())
    assert found["x"].latents == (0,)
    assert set(found["y"].latents) == {0, 1}
    # By hand: under do(x) the first moves by 2 dx, the second not at all; the third by a thousandth of dx.
    assert found["x"].shares[1] == 0 and found["x"].shares[2] < 1e-5
    # Under do(y) both move by dy: their scores differ by their aggregate variances alone.
    x, y = np.var([-1, 0, 1]), np.var([-2, -1, 0, 1, 2])
    expected = (y + np.exp(-4)) / (4 * x + y + np.exp(-4))
    assert found["y"].shares[0] / found["y"].shares[1] == pytest.approx(expected, rel=0.05)


class Reads(nn.Module):
    """Outputs (z0, z1 + z2): nothing reads the last latent."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.stack([z[:, 0], z[:, 1] + z[:, 2]], dim=1)


class Decoys(nn.Module):
    """mu = (x + y, -y, 0.5 y, x): under do(x) the last moves most for its variance, and nothing reads it."""

    def forward(self, values: Tensor) -> Tensor:
        x, y = values[:, 0], values[:, 1]
        mean = torch.stack([x + y, -y, 0.5 * y, x], dim=1)
        return torch.cat([mean, 0 * mean - 12], dim=1)


@pytest.fixture(scope="module")
def decoys() -> Model:
    return assemble(VAE(Decoys(), Reads(), 4, (2,), activation="none", likelihood="gaussian"), False, "decoys", {})


def column_readouts(**columns: int) -> dict[str, Readout]:
    attributes = {name: ColumnReadout(readout="column", index=index) for name, index in columns.items()}
    return build_readouts(attributes, None, DataColumns.unscaled(("first", "second")))


def test_an_unread_latent_is_chosen_by_movement_and_not_by_effect(decoys: Model) -> None:
    moved = find_latents(_spec("{x: {find: {by: movement}}}"), decoys, Columns())["x"]
    done = find_latents(_spec("{x: {find: 1}}"), decoys, Columns())["x"]
    assert (moved.by, moved.latents) == ("movement", (3,))
    assert (done.by, done.latents, done.outcomes) == ("effect", (0,), ())
    assert done.shares == pytest.approx((1, 0, 0, 0), abs=1e-6)
    assert done.stability is not None and done.stability.same == 1 and done.stability.frequencies == (1.0,)
    assert (done.stability.lower, done.stability.upper) == pytest.approx((1, 1), abs=1e-6)
    assert "latent[0] (100% of the effect on the output)" in found_words(done)
    assert "The intervals of this claim are given the choice" in selection_words(done)


def test_effects_are_measured_on_the_attributes_that_the_factor_reaches(decoys: Model) -> None:
    spec = _spec("{y: {find: 1}}")
    graph = spec.graph.model_copy(update={"edges": ("y -> area",)})
    readouts = column_readouts(other=0, area=1)
    found = find_latents(spec.model_copy(update={"graph": graph}), decoys, Columns(), readouts)["y"]
    # y moves the second output through latents 1 (by -1) and 2 (by 0.5): shares 2 and -1. On both outputs latent 0 too.
    assert found.outcomes == ("area",) and found.latents == (1,)
    assert found.shares == pytest.approx((0, 2, -1, 0), abs=1e-5)
    whole = find_latents(spec, decoys, Columns(), readouts)["y"]
    assert whole.outcomes == () and whole.latents == (0,) and whole.shares[:3] == pytest.approx((0.8, 0.4, -0.2))


@torch.inference_mode()
def test_products_of_interchanges_by_a_plain_hook(decoys: Model) -> None:
    data, vae = Columns(), decoys.vae
    pairs = draw_pairs(data, factor="y", samples=12, seed=3)
    readouts = column_readouts(first=0, second=1)
    found = LatentEffects(decoys, data, pairs, readouts).products([(1,), (1, 2)])
    sides = [data.inputs(rows) for rows in (pairs.base, pairs.counterfactual)]

    def run(own: Tensor, other: Tensor, units: tuple[int, ...]) -> Tensor:
        source = vae.encode(other[None]).mean

        def swap(module: object, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            changed = inputs[0].clone()
            changed[:, list(units)] = source[:, list(units)]
            return (changed, *inputs[1:])

        hook = vae.decoder.register_forward_pre_hook(swap)
        try:
            return vae(own[None])[0].double()
        finally:
            hook.remove()

    clean = torch.stack([vae(value[None])[0].double() for side in sides for value in side])
    spread = clean.std(dim=0, correction=0)
    for k, units in enumerate([(1,), (1, 2)]):
        for pair, (x, other) in enumerate(zip(*sides, strict=True)):
            total = (run(other, x, ()) - run(x, other, ())) / spread
            alone = (run(x, other, units) - run(x, other, ())) / spread
            lost = (run(other, x, ()) - run(other, x, units)) / spread
            assert found.total[pair] == pytest.approx(float(total @ total), abs=1e-9)
            assert found.alone[k, pair] == pytest.approx(float(alone @ total), abs=1e-9)
            assert found.lost[k, pair] == pytest.approx(float(lost @ total), abs=1e-9)


def test_one_of_many_alike_is_no_stable_choice() -> None:
    rng = np.random.default_rng(0)
    scores = 1 + rng.normal(size=(15, 128))
    chosen = best_of(scores.sum(axis=1), 1)
    halves = half_samples(128, 0)
    assert all(len(set(half.tolist())) == 64 for half in halves)
    same = np.mean([best_of(scores[:, half].sum(axis=1), 1) == chosen for half in halves])
    assert same < 0.9
    scores[3] += 2
    assert np.mean([best_of(scores[:, half].sum(axis=1), 1) == (3,) for half in halves]) == 1


def test_a_factor_that_changes_nothing_is_found_by_movement(model: Model) -> None:
    still = assemble(
        VAE(Encoder(), Still(), 4, (2,), activation="none", likelihood="gaussian"), False, "still", {}
    )  # fmt: skip
    found = find_latents(_spec("{x: {find: 1}}"), still, Columns())["x"]
    assert (found.by, found.latents) == ("movement", (0,))


class Still(nn.Module):
    """Outputs of zeros."""

    def forward(self, z: Tensor) -> Tensor:
        return 0 * z[:, :2]


def test_what_was_found_takes_its_place_in_the_mapping(model: Model) -> None:
    spec = _spec('{x: {find: 1}, y: "latent[3]"}')
    placed = place_found(spec, find_latents(spec, model, Columns()))
    assert placed.mapping["x"].components is not None and len(placed.mapping["x"].components) == 1
    assert placed.mapping["y"].components == ("latent[3]",)
    assert placed.mapping["x"].find is None


def test_a_spec_without_find_costs_nothing(model: Model) -> None:
    spec = _spec('{x: "latent[1]"}')
    assert find_latents(spec, model, Columns()) == {}
    assert place_found(spec, {}) is spec


@pytest.mark.parametrize(("mapping", "factors"), [("{x: {find: 5}}", "x"), ("{shape: {find: 1}}", "shape")])
def test_what_cannot_be_found_is_refused(model: Model, mapping: str, factors: str) -> None:
    with pytest.raises(CausalVAEError) as caught:
        find_latents(_spec(mapping, factors), model, Columns())
    assert caught.value.code == "CV315"
