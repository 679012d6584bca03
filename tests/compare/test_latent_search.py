"""Latents are found by setting a factor, and tested on other pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalvae.data.factors import Factor, FactorSpace, Rows
from causalvae.data.grid import Grid
from causalvae.errors import CausalVAEError
from causalvae.latent_search import find_latents, place_found
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.spec import parse_spec
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
    found = find_latents(_spec("{x: {find: 1}, y: {find: 2}}"), model, Columns())
    assert found["x"].latents == (0,)
    assert set(found["y"].latents) == {0, 1}
    # By hand: under do(x) the first moves by 2 dx, the second not at all; the third by a thousandth of dx.
    assert found["x"].shares[1] == 0 and found["x"].shares[2] < 1e-5
    # Under do(y) both move by dy: their scores differ by their aggregate variances alone.
    x, y = np.var([-1, 0, 1]), np.var([-2, -1, 0, 1, 2])
    expected = (y + np.exp(-4)) / (4 * x + y + np.exp(-4))
    assert found["y"].shares[0] / found["y"].shares[1] == pytest.approx(expected, rel=0.05)


def test_what_was_found_takes_its_place_in_the_mapping(model: Model) -> None:
    spec = _spec('{x: {find: 1}, y: "latent[3]"}')
    placed = place_found(spec, find_latents(spec, model, Columns()))
    assert placed.mapping["x"].components == ("latent[0]",)
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
