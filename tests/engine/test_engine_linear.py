"""A linear VAE, whose every effect on a linear readout is a product of matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalvae.data.factors import Factor, FactorSpace, IntArray
from causalvae.data.grid import Grid
from causalvae.data.pairs import draw_pairs
from causalvae.engine.execute import execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan, Subspace, Treatment
from causalvae.spec.value_source import ValueSource, make_source

INPUTS, HIDDEN, LATENTS, PAIRS = 6, 5, 3, 11
RNG = np.random.default_rng(20)
MIXING, OFFSET = RNG.normal(size=(INPUTS, 3)), RNG.normal(size=INPUTS)
FIRST, FIRST_BIAS = RNG.normal(size=(HIDDEN, INPUTS)), RNG.normal(size=HIDDEN)
SECOND, SECOND_BIAS = RNG.normal(size=(2 * LATENTS, HIDDEN)), RNG.normal(size=2 * LATENTS)
DECODER, DECODER_BIAS = RNG.normal(size=(INPUTS, LATENTS)), RNG.normal(size=INPUTS)
READOUTS = RNG.normal(size=(2, INPUTS))
TO_MEAN = SECOND[:LATENTS]


@dataclass
class Vectors(Grid):
    """Vectors that are linear in three factors: a `Dataset`."""

    name = "vectors"
    # A world that can be asked without end: pairs may repeat.
    size = None
    space = FactorSpace(
        (
            Factor("a", "ordinal", (0.0, 1.0, 2.0, 4.0)),
            Factor("b", "ordinal", (-1.0, 0.5, 2.0)),
            Factor("c", "categorical", (0.0, 1.0), ("low", "high")),
        )
    )
    input_shape = (INPUTS,)

    def inputs(self, levels: IntArray) -> Tensor:
        return torch.from_numpy(self.space.values_of(levels) @ MIXING.T + OFFSET).float()

    def describe(self) -> dict[str, Any]:
        return {}


def linear(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": torch.from_numpy(weight).float(), "bias": torch.from_numpy(bias).float()})
    return layer


def measure(outputs: Tensor) -> Tensor:
    return outputs.double() @ torch.from_numpy(READOUTS).T


@pytest.fixture(scope="module")
def model() -> Model:
    encoder = nn.Sequential(linear(FIRST, FIRST_BIAS), linear(SECOND, SECOND_BIAS))
    vae = VAE(encoder, linear(DECODER, DECODER_BIAS), LATENTS, (INPUTS,), activation="none", likelihood="gaussian")
    return assemble(vae, False, "linear", {})


COHORT = Cohort("do-a", PAIRS, 2, Treatment("do-a", "a", None, "hold", "increase"))
WATCHED = Cohort(OBSERVED, 30, 2)


@pytest.fixture(scope="module")
def run(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Measurements]:
    """Measure arms with the given patches on both sides, and the clean runs."""

    def measured(*circuits: tuple[Patch, ...], cohort: Cohort = COHORT) -> Measurements:
        sides = ("base",) if cohort.treatment is None else ("base", "counterfactual")
        arms = tuple(Arm(cohort.name, side, patches, cohort.samples) for patches in ((), *circuits) for side in sides)
        cohorts = tuple({item.name: item for item in (WATCHED, cohort)}.values())
        options = Options(rerun="suffix", skip_dead_rows=True)
        plan = Plan("linear", "s", "linear", cohorts, arms, (), ("first", "second"), shard_pairs=4, options=options)
        return execute_plan(plan, model, Vectors(), measure, tmp_path_factory.mktemp("linear"), "cpu")

    return measured


def values(found: Measurements, side: str, patches: tuple[Patch, ...], cohort: Cohort = COHORT) -> np.ndarray:
    """Attributes of one arm, (pairs, 2)."""
    arm = Arm(cohort.name, side, patches, cohort.samples)
    return np.stack([found.values(arm.id, name) for name in found.plan.attributes], axis=1)


def change_of_input() -> np.ndarray:
    """x' - x of every pair, (pairs, inputs)."""
    data = Vectors()
    pairs = draw_pairs(data, factor="a", samples=PAIRS, seed=2, contrast="increase")
    return (data.space.values_of(pairs.counterfactual) - data.space.values_of(pairs.base)) @ MIXING.T


def through(site: str, units: tuple[int, ...]) -> np.ndarray:
    """The matrix from the input to the readouts by way of some units of a site alone, (2, inputs)."""
    chosen = list(units)
    if site == "encoder.0":
        return READOUTS @ DECODER @ TO_MEAN[:, chosen] @ FIRST[chosen]
    if site == "latent":
        return READOUTS @ DECODER[:, chosen] @ (TO_MEAN @ FIRST)[chosen]
    assert site == "decoder"
    return READOUTS[:, chosen] @ (DECODER @ TO_MEAN @ FIRST)[chosen]


CLOSED = [
    ("encoder.0", (2,)),
    ("encoder.0", (0, 3, 4)),
    ("latent", (1,)),
    ("latent", (0, 2)),
    ("decoder", (0, 1, 5)),
]


@pytest.mark.parametrize(("site", "units"), CLOSED)
def test_effects_are_products_of_matrices(site: str, units: tuple[int, ...], run: Callable[..., Measurements]) -> None:
    circuit = (Patch(site, units, make_source("interchange")),)
    found = run(circuit)
    base, counterfactual = values(found, "base", ()), values(found, "counterfactual", ())
    sufficiency, necessity = values(found, "base", circuit), values(found, "counterfactual", circuit)
    dx = change_of_input()
    te = dx @ (READOUTS @ DECODER @ TO_MEAN @ FIRST).T
    nie = dx @ through(site, units).T
    near = {"rtol": 2e-5, "atol": 2e-5 * np.abs(te).max()}
    np.testing.assert_allclose(counterfactual - base, te, **near)
    np.testing.assert_allclose(sufficiency - base, nie, **near)
    # NDE = Y(x'; c <- c(x)) - Y(x); a linear network has no interaction, so that TIE = NIE.
    np.testing.assert_allclose(necessity - base, te - nie, **near)
    np.testing.assert_allclose(counterfactual - necessity, nie, **near)
    assert np.abs(nie).max() > 0.01 * np.abs(te).max(), "the example must have an effect to measure"


def test_two_sites_do_not_count_twice(run: Callable[..., Measurements]) -> None:
    """With an encoder unit and a latent patched, the latent's own value wins over what reaches it from upstream."""
    circuit = (Patch("encoder.0", (1,), make_source("interchange")), Patch("latent", (2,), make_source("interchange")))
    found = run(circuit)
    dx = change_of_input()
    z = np.outer(dx @ FIRST[1], TO_MEAN[:, 1])
    z[:, 2] = dx @ (TO_MEAN @ FIRST)[2]
    nie = z @ DECODER.T @ READOUTS.T
    moved = values(found, "base", circuit) - values(found, "base", ())
    np.testing.assert_allclose(moved, nie, rtol=2e-5, atol=2e-5 * np.abs(nie).max())


def test_subspace_patches_are_projections(run: Callable[..., Measurements]) -> None:
    circuit = (Patch("latent", None, make_source("interchange"), subspace=Subspace(2, 9)),)
    found = run(circuit)
    draw = np.random.default_rng(9).standard_normal((LATENTS, 2))
    projection = draw @ np.linalg.inv(draw.T @ draw) @ draw.T
    nie = change_of_input() @ (READOUTS @ DECODER @ projection @ TO_MEAN @ FIRST).T
    moved = values(found, "base", circuit) - values(found, "base", ())
    np.testing.assert_allclose(moved, nie, rtol=2e-5, atol=2e-5 * np.abs(nie).max())


def test_image_columns_are_the_square_and_the_projection_of_the_change(run: Callable[..., Measurements]) -> None:
    circuit = (Patch("latent", (0,), make_source("interchange")),)
    found = run(circuit)
    dz = change_of_input() @ (TO_MEAN @ FIRST).T
    whole, part = dz @ DECODER.T, np.outer(dz[:, 0], DECODER[:, 0])
    arm = Arm("do-a", "base", circuit, PAIRS).id
    other = Arm("do-a", "counterfactual", (), PAIRS).id
    for name, column, expected in (
        (arm, "image_sq", (part**2).sum(1)),
        (arm, "image_dot", (part * whole).sum(1)),
        (other, "image_sq", (whole**2).sum(1)),
        (other, "image_dot", (whole**2).sum(1)),
    ):
        np.testing.assert_allclose(found.values(name, column), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("same_samples")
@pytest.mark.parametrize(
    ("source", "value"),
    [
        (make_source("zero"), lambda z: 0 * z),
        (make_source("constant", 1.5), lambda z: 0 * z + 1.5),
        (make_source("sd", 2.0), lambda z: z + 2 * z.std(ddof=1)),
        (make_source("quantile", 0.3), lambda z: 0 * z + np.quantile(z, 0.3)),
        (make_source("mean"), lambda z: 0 * z + z.mean()),
    ],
    ids=lambda item: item.kind if isinstance(item, ValueSource) else "",
)
def test_level_two_sources_have_closed_forms(
    source: ValueSource, value: Callable[[np.ndarray], np.ndarray], run: Callable[..., Measurements]
) -> None:
    patches = (Patch("latent", (1,), source),)
    found = run(patches, cohort=WATCHED)
    z = found.observations[[f"latent:{latent}" for latent in range(LATENTS)]].to_numpy()
    expected = np.outer(value(z[:, 1]) - z[:, 1], READOUTS @ DECODER[:, 1])
    moved = values(found, "base", patches, WATCHED) - values(found, "base", (), WATCHED)
    np.testing.assert_allclose(moved, expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


def test_observations_are_the_networks_own_numbers(run: Callable[..., Measurements]) -> None:
    found = run()
    frame = found.observations
    factors = frame[["factor:a", "factor:b", "factor:c"]].to_numpy()
    x = factors @ MIXING.T + OFFSET
    parameters = (x @ FIRST.T + FIRST_BIAS) @ SECOND.T + SECOND_BIAS
    y = parameters[:, :LATENTS] @ DECODER.T + DECODER_BIAS
    near = {"rtol": 2e-5, "atol": 1e-4}
    for latent in range(LATENTS):
        np.testing.assert_allclose(frame[f"mean:{latent}"], parameters[:, latent], **near)
        np.testing.assert_allclose(frame[f"latent:{latent}"], parameters[:, latent], **near)
        np.testing.assert_allclose(frame[f"logvar:{latent}"], parameters[:, LATENTS + latent], **near)
    np.testing.assert_allclose(frame[["attribute:first", "attribute:second"]], y @ READOUTS.T, **near)
    np.testing.assert_allclose(frame[["input:first", "input:second"]], x @ READOUTS.T, **near)
    # The density of a unit Gaussian, its constant included.
    likelihood = 0.5 * ((y - x) ** 2 + np.log(2 * np.pi)).sum(1)
    np.testing.assert_allclose(frame["reconstruction"], likelihood, **near)
    sd = found.attribute_sd()
    np.testing.assert_allclose([sd["first"], sd["second"]], (y @ READOUTS.T).std(0, ddof=1), **near)
