"""Learned subspaces: on linear networks whose best directions are known, and against hooks on the modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from causalvae.data.factors import Factor, FactorSpace, IntArray
from causalvae.data.grid import Grid
from causalvae.data.pairs import draw_pairs
from causalvae.engine.donors import choose_donors
from causalvae.engine.execute import execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.engine.runner import PlanRunner
from causalvae.engine.subspaces.interchanges import Interchanges, donor_keys
from causalvae.engine.subspaces.null_space import find_unread
from causalvae.engine.subspaces.search import learn_directions, principal_directions
from causalvae.engine.values import DonorKey
from causalvae.errors import CausalVAEError
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked_sites import find_hooked_sites
from causalvae.models.loading import Model, assemble
from causalvae.models.network import OUTPUTS
from causalvae.models.vae import VAE
from causalvae.plan.learned import learned_parts
from causalvae.plan.types import (
    OBSERVED,
    OUTPUT,
    Arm,
    Cohort,
    Learning,
    Patch,
    Plan,
    Side,
    Source,
    Subspace,
    Treatment,
)
from tests.engine.conftest import LATENTS, SIDE, Blobs
from tests.engine.hook_oracle import SMALL_TAPS
from tests.engine.test_ablations import AblationOracle
from tests.engine.test_engine_linear import linear

PAIRS, UNITS = 24, 4
SIDES: tuple[Side, Side] = ("base", "counterfactual")
TREATED = Cohort("do-a", PAIRS, 2, Treatment("do-a", "a", None, "hold", "increase"))
WATCHED = Cohort(OBSERVED, 30, 2)
# A rotation of the four latents, so that no latent alone is a direction of the data.
ROTATION = np.linalg.qr(np.random.default_rng(4).normal(size=(UNITS, UNITS)))[0]
# The decoder reads three of its directions, the fourth not at all.
READS = np.random.default_rng(5).normal(size=(3, 3)) @ ROTATION[:, :3].T
INTERCHANGE = Source("interchange")


@dataclass
class Numbers(Grid):
    """Inputs that are three factors themselves: a `Dataset`."""

    name = "numbers"
    space = FactorSpace(
        (
            Factor("a", "ordinal", (0.0, 1.0, 2.0, 4.0)),
            Factor("b", "ordinal", (-2.0, 0.5, 2.0, 3.0)),
            Factor("c", "ordinal", (-1.0, 0.0, 2.0)),
        )
    )
    input_shape = (3,)

    def inputs(self, levels: IntArray) -> Tensor:
        return torch.from_numpy(self.space.values_of(levels)).float()

    def describe(self) -> dict[str, Any]:
        return {}


def network(into: np.ndarray, decoder: nn.Module) -> Model:
    """Latents that are `into`, (latents, factors), times the factors."""
    weight = np.concatenate([into, np.zeros_like(into)])
    vae = VAE(linear(weight, np.zeros(len(weight))), decoder, len(into), (3,), activation="none", likelihood="gaussian")
    return assemble(vae, False, "numbers", {})


def measure(outputs: Tensor) -> Tensor:
    return outputs.double()[:, :2]


def learning(**changes: Any) -> Learning:
    settings = {"objective": OUTPUT, "pairs": 64, "steps": 60, "restarts": 1, "seed": 3, "given": "a"}
    return Learning(**{**settings, **changes})


def patches(dim: int = 1, learned: Learning | None = None, site: str = "latent") -> dict[str, Patch]:
    """The part through a learned subspace, through its complement, whole, and through a random one."""
    subspace = Subspace(dim, 8, learning() if learned is None else learned)
    return {
        "learned": Patch(site, None, INTERCHANGE, subspace=subspace),
        "others": Patch(site, None, INTERCHANGE, subspace=replace(subspace, complement=True)),
        "whole": Patch(site, None, INTERCHANGE),
        "random": Patch(site, None, INTERCHANGE, subspace=Subspace(dim, 8)),
    }


def plan_of(circuits: Sequence[tuple[Patch, ...]], **changes: Any) -> Plan:
    arms = tuple(Arm("do-a", side, circuit, PAIRS) for circuit in ((), *circuits) for side in SIDES)
    options = {"rerun": "suffix", "skip_dead_rows": True, "low_rank": True, "windows": True}
    settings = {"shard_pairs": 10, "batch_rows": 32, "options": options}
    return Plan("n", "s", "n", (WATCHED, TREATED), arms, (), ("first", "second"), **{**settings, **changes})


def problem(model: Model, patch: Patch, dataset: Grid | None = None, **changes: Any) -> Interchanges:
    plan = plan_of([(patch,)], **changes)
    runner = PlanRunner(plan, model, dataset or Numbers(), measure, torch.device("cpu"))
    assert patch.subspace is not None
    learned = patch.subspace.learned
    assert learned is not None
    inputs = runner.split("do-a", learned.seed, learned.pairs, "subspace", donor_keys(learned))
    return Interchanges(model.graph, model.components, patch, inputs, plan, measure)


@pytest.fixture(scope="module")
def planted() -> Model:
    """Each factor is one orthogonal direction of the latent, and the decoder reads them all."""
    return network(ROTATION[:, :3], linear(READS, np.zeros(3)))


def values(found: Measurements, side: Side, circuit: tuple[Patch, ...]) -> np.ndarray:
    arm = Arm("do-a", side, circuit, PAIRS)
    return np.stack([found.values(arm.id, name) for name in found.plan.attributes], axis=1)


def directions(found: Measurements) -> np.ndarray:
    (row,) = found.subspaces.itertuples()
    return np.array(row.basis, np.float64).reshape(-1, row.dim)


@pytest.mark.parametrize("objective", [OUTPUT, "second"])
def test_the_planted_direction_is_found_and_carries_all(objective: str, planted: Model, tmp_path: Path) -> None:
    """Y = D z and z = Q f: through the first column q of Q alone, NIE = D q (a' - a), the whole effect."""
    parts = patches(learned=learning(objective=objective))
    found = execute_plan(plan_of([(part,) for part in parts.values()]), planted, Numbers(), measure, tmp_path, "cpu")
    (learned,) = directions(found).T
    drawn = draw_pairs(Numbers(), factor="a", samples=PAIRS, seed=2, contrast="increase")
    change = (Numbers.space.values_of(drawn.counterfactual) - Numbers.space.values_of(drawn.base))[:, 0]
    te = np.outer(change, READS[:2] @ ROTATION[:, 0])
    base = values(found, "base", ())
    nie = {name: values(found, "base", (part,)) - base for name, part in parts.items()}
    near = {"rtol": 1e-3, "atol": 1e-3 * np.abs(te).max()}
    if objective == OUTPUT:
        assert np.arccos(min(1.0, learned @ ROTATION[:, 0])) < 1e-3
        np.testing.assert_allclose(nie["learned"], te, **near)
        np.testing.assert_allclose(nie["others"], 0 * te, **near)
    # The formulas hold whatever was learned; the whole part carries everything.
    through = np.outer(learned, learned)
    q = ROTATION[:, 0]
    np.testing.assert_allclose(nie["learned"], np.outer(change, READS[:2] @ through @ q), **near)
    np.testing.assert_allclose(nie["others"], np.outer(change, READS[:2] @ (q - through @ q)), **near)
    np.testing.assert_allclose(nie["whole"], te, **near)
    other = np.random.default_rng(8).standard_normal(UNITS)
    random = np.outer(other, other) / (other @ other)
    np.testing.assert_allclose(nie["random"], np.outer(change, READS[:2] @ random @ q), **near)
    # A linear network has no interaction: what necessity takes away is what sufficiency brings.
    full = values(found, "counterfactual", ())
    for name, part in parts.items():
        np.testing.assert_allclose(full - values(found, "counterfactual", (part,)), nie[name], **near)


def test_training_finds_what_the_change_alone_does_not_show() -> None:
    """With z = p a + q b and Y = r.z, the direction along p picks up b's difference as well, for p and q are not
    orthogonal. A direction R with R.q = 0 and (r.R)(R.p) = r.p brings Y(x') for every donor, and there is one.
    """
    p, q, r = np.array([1.0, 0.0, 0.0]), np.array([0.6, 0.8, 0.0]), np.array([1.0, 0.0, 2.0])
    model = network(np.stack([p, q, 0 * q], 1), linear(np.stack([r, 0 * r, 0 * r]), np.zeros(3)))
    part = patches(learned=learning(steps=150, pairs=64))["learned"]
    posed = problem(model, part)
    np.testing.assert_allclose(np.abs(principal_directions(posed, 1).numpy()[:, 0]), p, atol=1e-6)
    found = learn_directions(posed, 1)
    (direction,) = found.basis.double().numpy().T
    assert posed.unexplained_by_all(torch.from_numpy(p)[:, None]) > 0.1
    assert found.loss < 1e-4
    assert abs(direction @ q) < 0.02
    assert (r @ direction) * (direction @ p) == pytest.approx(r @ p, abs=0.02)


def test_the_loss_is_that_of_a_loop_over_pairs_and_their_donors(planted: Model) -> None:
    part = patches()["learned"]
    posed = problem(planted, part)
    basis = torch.from_numpy(np.linalg.qr(np.random.default_rng(0).normal(size=(UNITS, 2)))[0])
    x, other = posed.own, posed.other
    assert torch.equal(x, planted.vae.encode(posed.clean[planted.graph.inputs[0]]).mean)
    lost = moved = 0.0
    for own, source, target in zip(x.double().numpy(), posed.source.double().numpy(), other.double().numpy()):
        patched = own + basis.numpy() @ basis.numpy().T @ (source - own)
        lost += ((READS @ (patched - target)) ** 2).sum()
        moved += ((READS @ (own - target)) ** 2).sum()
        # A donor has the treated factor's new value, and others of its own.
        assert source @ ROTATION[:, 0] == pytest.approx(target @ ROTATION[:, 0], abs=1e-5)
    assert posed.unexplained_by_all(basis) == pytest.approx(lost / moved, rel=1e-5)
    assert (np.abs((posed.source - other).numpy() @ ROTATION[:, 1]) > 0.1).mean() > 0.4


def test_pairs_that_are_their_own_donors_are_explained_by_every_subspace_that_holds_the_change(planted: Model) -> None:
    own = problem(planted, patches(learned=learning(given=None))["learned"])
    crossed = problem(planted, patches()["learned"])
    held = np.linalg.qr(ROTATION[:, [0, 1]] + 0.0)[0]
    assert own.unexplained_by_all(torch.from_numpy(held)) < 1e-10
    assert crossed.unexplained_by_all(torch.from_numpy(held)) > 0.1


def test_what_holds_only_for_the_pairs_that_were_learned_on_is_no_better_than_chance(tmp_path: Path) -> None:
    """Sixty latents of noise that is each sample's own, and four pairs to learn on: the loss falls on these alone."""

    class Noise(Numbers):
        def inputs(self, levels: IntArray) -> Tensor:
            keys = (levels @ np.array([100, 10, 1])).tolist()
            drawn = [np.random.default_rng([key, 7]).normal(size=3) for key in keys]
            return torch.from_numpy(np.array(drawn)).float()

    rng = np.random.default_rng(1)
    decoder = nn.Sequential(
        linear(rng.normal(size=(40, 40)), np.zeros(40)), linear(rng.normal(size=(3, 40)), np.zeros(3))
    )
    model = network(np.concatenate([rng.normal(size=(40, 3))]), decoder)
    part = patches(1, learning(pairs=4, steps=150, restarts=3))["learned"]
    posed = problem(model, part, Noise())
    found = learn_directions(posed, 1)
    held = problem(model, replace(part, subspace=Subspace(1, 0, learning(pairs=128, seed=99))), Noise())
    rng = np.random.default_rng(2)
    chance = [held.unexplained_by_all(torch.from_numpy(np.linalg.qr(rng.normal(size=(40, 1)))[0])) for _ in range(20)]
    assert found.loss < 0.6
    assert held.unexplained_by_all(found.basis.double()) > min(chance) - 0.05
