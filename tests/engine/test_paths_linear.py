"""Path-specific effects of linear networks: products of the entries that a path passes, which add up to the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalvae.engine.execute import execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.plan.types import Arm, Options, Patch, Plan
from causalvae.spec.value_source import make_source
from tests.engine.test_engine_linear import (
    COHORT,
    DECODER,
    DECODER_BIAS,
    FIRST,
    FIRST_BIAS,
    HIDDEN,
    INPUTS,
    LATENTS,
    PAIRS,
    READOUTS,
    SECOND,
    SECOND_BIAS,
    TO_MEAN,
    WATCHED,
    Vectors,
    change_of_input,
    linear,
    measure,
)

RNG = np.random.default_rng(31)
# A decoder that adds what goes round its hidden layer to what goes through it.
IN, OUT, ROUND = RNG.normal(size=(4, LATENTS)), RNG.normal(size=(INPUTS, 4)), RNG.normal(size=(INPUTS, LATENTS))
SWAP = make_source("interchange")

Runs = Callable[..., Callable[[tuple[Patch, ...]], np.ndarray]]


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = linear(IN, np.zeros(4))
        self.outer = linear(OUT, np.zeros(INPUTS))
        self.around = linear(ROUND, np.zeros(INPUTS))

    def forward(self, z: Tensor) -> Tensor:
        return self.outer(self.inner(z)) + self.around(z)


def assembled(decoder: nn.Module) -> Model:
    encoder = nn.Sequential(linear(FIRST, FIRST_BIAS), linear(SECOND, SECOND_BIAS))
    vae = VAE(encoder, decoder, LATENTS, (INPUTS,), activation="none", likelihood="gaussian")
    return assemble(vae, False, "linear", {})


@pytest.fixture(scope="module")
def plain() -> Model:
    return assembled(linear(DECODER, DECODER_BIAS))


@pytest.fixture(scope="module")
def skipping() -> Model:
    return assembled(Skip())


@pytest.fixture
def effects(tmp_path: Path) -> Runs:
    """From a model and circuits to the effect of each on the base run, (pairs, 2), and of the treatment under ()."""

    def run(model: Model, *circuits: tuple[Patch, ...]) -> Callable[[tuple[Patch, ...]], np.ndarray]:
        clean = Arm("do-a", "base", (), PAIRS), Arm("do-a", "counterfactual", (), PAIRS)
        arms = [Arm("do-a", "base", patches, PAIRS) for patches in circuits]
        options = Options(rerun="suffix", skip_dead_rows=True)
        plan = Plan(
            "linear", "s", "linear", (WATCHED, COHORT), (*clean, *arms), (), ("first", "second"),
            shard_pairs=4, options=options,
        )  # fmt: skip
        found = execute_plan(plan, model, Vectors(), measure, tmp_path, "cpu")

        def effect(patches: tuple[Patch, ...]) -> np.ndarray:
            arm = Arm("do-a", "base", patches, PAIRS) if patches else clean[1]
            return outcomes(found, arm) - outcomes(found, clean[0])

        return effect

    return run


def outcomes(found: Measurements, arm: Arm) -> np.ndarray:
    return np.stack([found.values(arm.id, name) for name in found.plan.attributes], axis=1)


def along(*stages: tuple[str, int]) -> tuple[Patch, ...]:
    patches: tuple[Patch, ...] = ()
    for place, (site, unit) in enumerate(stages):
        patches = (Patch(site, (unit,), make_source("relayed", upstream=patches) if place else SWAP),)
    return patches


def near(found: np.ndarray, expected: np.ndarray, scale: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=5e-5, atol=2e-5 * np.abs(scale).max())


def test_a_path_is_the_product_of_its_entries_and_all_paths_are_the_total(plain: Model, effects: Runs) -> None:
    units = list(product(range(HIDDEN), range(LATENTS), range(INPUTS)))
    paths = {(i, j, k): along(("encoder.0", i), ("latent", j), ("decoder", k)) for i, j, k in units}
    effect = effects(plain, *paths.values())
    total = effect(())
    added = np.zeros_like(total)
    dx = change_of_input()
    for (i, j, k), patches in paths.items():
        expected = np.outer(dx @ FIRST[i], READOUTS[:, k] * DECODER[k, j] * TO_MEAN[j, i])
        near(effect(patches), expected, total)
        added += effect(patches)
    near(added, total, total)
    near(total, dx @ (READOUTS @ DECODER @ TO_MEAN @ FIRST).T, total)


def test_a_path_leaves_out_what_goes_round_it(skipping: Model, effects: Runs) -> None:
    through = along(("latent", 1), ("decoder.inner", 2))
    beside = along(("latent", 1), ("decoder.around", 3))
    # Of what is sent to the whole hidden layer nothing goes round it.
    layer = (Patch("decoder.inner", None, make_source("relayed", upstream=(Patch("latent", None, SWAP),))),)
    effect = effects(skipping, through, beside, layer, (Patch("latent", (1,), SWAP),))
    dz = change_of_input() @ (TO_MEAN @ FIRST).T
    total = effect(())
    near(effect(through), np.outer(dz[:, 1] * IN[2, 1], READOUTS @ OUT[:, 2]), total)
    near(effect(beside), np.outer(dz[:, 1] * ROUND[3, 1], READOUTS[:, 3]), total)
    near(effect(layer), dz @ (READOUTS @ OUT @ IN).T, total)
    # The latent alone takes both ways.
    both = np.outer(dz[:, 1], READOUTS @ (OUT @ IN + ROUND)[:, 1])
    near(effect((Patch("latent", (1,), SWAP),)), both, total)
    assert np.abs(both - dz[:, 1:2] * (READOUTS @ OUT @ IN)[:, 1]).max() > 0.1 * np.abs(both).max()


def test_a_component_between_is_held_where_no_edge_leads_through_it(skipping: Model, effects: Runs) -> None:
    """Latent to output, with the hidden layer held at what it is without a change: only the skip carries it."""
    held = (Patch("latent", (0, 1), SWAP), Patch("decoder.inner", None, make_source("relayed")))
    effect = effects(skipping, held)
    dz = change_of_input() @ (TO_MEAN @ FIRST).T
    near(effect(held), dz[:, :2] @ (READOUTS @ ROUND[:, :2]).T, effect(()))


def test_two_sources_at_one_site_do_not_mix(plain: Model, effects: Runs) -> None:
    """Each latent sees the change of one hidden unit."""
    first, second = along(("encoder.0", 0), ("latent", 1)), along(("encoder.0", 3), ("latent", 2))
    effect = effects(plain, (*first, *second), first, second)
    near(effect((*first, *second)), effect(first) + effect(second), effect(()))


def chains(model: Model) -> Iterator[tuple[Patch, ...]]:
    yield along(("encoder.0", 2), ("latent", 0))
    yield along(("latent", 2), ("decoder", 4))


def test_the_other_side_is_the_same_the_other_way_round(plain: Model, tmp_path: Path) -> None:
    """Of a linear network what is lost without a path is what the path carries."""
    sides = ("base", "counterfactual")
    arms = [Arm("do-a", side, patches, PAIRS) for patches in ((), *chains(plain)) for side in sides]  # type: ignore[arg-type]
    plan = Plan("linear", "s", "linear", (WATCHED, COHORT), tuple(arms), (), ("first", "second"), shard_pairs=64)
    found = execute_plan(replace(plan, options=Options(rerun="full")), plain, Vectors(), measure, tmp_path, "cpu")
    base, counterfactual = outcomes(found, arms[0]), outcomes(found, arms[1])
    for patches in chains(plain):
        gained = outcomes(found, Arm("do-a", "base", patches, PAIRS)) - base
        lost = counterfactual - outcomes(found, Arm("do-a", "counterfactual", patches, PAIRS))
        near(gained, lost, counterfactual - base)
        assert torch.tensor(gained).abs().max() > 0
