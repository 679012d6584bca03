"""Mediations through learned subspaces, from the spec to estimates: closed forms, naive loops, and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from causalvae.data.factors import Factor, FactorSpace, IntArray
from causalvae.data.grid import Grid
from causalvae.data.pairs import draw_pairs
from causalvae.effects import estimate_effects, open_context
from causalvae.effects.analysis import EffectsResult
from causalvae.effects.mediation import arms_of
from causalvae.effects.observed import gather_samples
from causalvae.effects.significance import exact_interval
from causalvae.effects.types import Estimate
from causalvae.engine.donors import choose_donors
from causalvae.engine.execute import execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.engine.values import DonorKey
from causalvae.errors import CausalVAEError
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.plan.compile import compile_spec
from causalvae.plan.owner import Owner
from causalvae.plan.types import Plan
from causalvae.report.notes import notes_words
from causalvae.spec.schema import Spec
from causalvae.spec.whole_output import WholeOutput
from tests.effects.synthetic import make_spec
from tests.engine.test_engine_linear import linear

PAIRS, UNITS, SEED = 48, 4, 7
ROTATION = np.linalg.qr(np.random.default_rng(4).normal(size=(UNITS, UNITS)))[0]
PARTS = {
    "learned": "latent: 1 learned direction",
    "whole": "latent: all",
    "others": "latent: the other 3 directions",
    "random": "latent: 1 random direction",
}


@dataclass
class Numbers(Grid):
    """Inputs that are three factors themselves: a `Dataset`."""

    name = "numbers"
    # A world that can be asked without end: pairs may repeat.
    size = None
    space = FactorSpace(
        (
            Factor("scale", "ordinal", (0.0, 1.0, 2.0, 4.0)),
            Factor("x", "ordinal", (-2.0, 0.5, 2.0, 3.0)),
            Factor("kind", "categorical", (-1.0, 0.0, 2.0), ("low", "middle", "high")),
        )
    )
    input_shape = (3,)

    def inputs(self, levels: IntArray) -> Tensor:
        return torch.from_numpy(self.space.values_of(levels)).float()

    def describe(self) -> dict[str, Any]:
        return {}


def network(into: np.ndarray, out: np.ndarray) -> Model:
    """z = `into` f and y = `out` z."""
    weight = np.concatenate([into, np.zeros_like(into)])
    vae = VAE(
        linear(weight, np.zeros(len(weight))), linear(out, np.zeros(3)), len(into), (3,), activation="none",
        likelihood="gaussian",
    )  # fmt: skip
    return assemble(vae, False, "numbers", {})


def measure(outputs: Tensor) -> Tensor:
    return outputs.double()[:, :2]


def run(
    model: Model, folder: Path, subspace: Mapping[str, Any], data: Grid | None = None, treatment: Any = None
) -> tuple[Spec, Plan, Measurements, EffectsResult]:
    through = {
        "treatment": "resize",
        "mediators": ["latent"],
        "outcomes": ["area", "place"],
        "subspace": dict(subspace),
    }
    spec = make_spec(
        attributes=("area", "place"),
        interventions=[{"name": "via", "mediation": through}],
        bootstrap=200,
    )
    changes: dict[str, Any] = {"data": spec.data.model_copy(update={"samples": PAIRS, "seed": SEED})}
    if treatment is not None:
        swap = spec.interventions[0].model_copy(update={"input": treatment})
        changes["interventions"] = (swap, *spec.interventions[1:])
    spec = spec.model_copy(update=changes)
    data = data or Numbers()
    plan = compile_spec(spec, model.components, data.space)
    found = execute_plan(plan, model, data, measure, folder, "cpu")
    return spec, plan, found, estimate_effects(open_context(spec, found, WholeOutput.of((1, 1, 3))))


def pick(found: EffectsResult, estimand: str, part: str, outcome: str) -> Estimate:
    wanted = (estimand, PARTS.get(part, part), outcome)
    (estimate,) = [e for e in found.estimates if (e.estimand, e.component.label, e.outcome) == wanted]
    return estimate


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Spec, Plan, Measurements, EffectsResult]:
    """The factors are three orthogonal directions of four latents, and the decoder gives them back."""
    model = network(ROTATION[:, :3], ROTATION[:, :3].T)
    return run(model, tmp_path_factory.mktemp("planted"), {"learned_on": 64, "steps": 60, "tolerance": 0.5})


def test_all_of_the_effect_goes_through_the_planted_direction_and_none_through_the_others(
    planted: tuple[Spec, Plan, Measurements, EffectsResult],
) -> None:
    *_, found = planted
    drawn = draw_pairs(Numbers(), factor="scale", samples=PAIRS, seed=SEED, contrast="increase")
    rise = (Numbers.space.values_of(drawn.counterfactual) - Numbers.space.values_of(drawn.base))[:, 0].mean()
    random = np.random.default_rng(0).standard_normal(UNITS)
    along = (random @ ROTATION[:, 0]) / np.sqrt(random @ random)
    for part, share in (("learned", 1.0), ("whole", 1.0), ("others", 0.0), ("random", along**2)):
        assert pick(found, "natural_indirect_effect", part, "area").value == pytest.approx(share * rise, abs=2e-3)
        for name in ("mediated_share", "necessity"):
            assert pick(found, name, part, "area").value == pytest.approx(share, abs=1e-3)
        assert pick(found, "natural_direct_effect", part, "area").value == pytest.approx((1 - share) * rise, abs=5e-3)
    assert pick(found, "natural_indirect_effect", "learned", "place").value == pytest.approx(0.0, abs=2e-3)
    assert not [e for e in found.estimates if e.estimand == "indirect_effect_remainder"]
    assert {e.granularity for e in found.estimates if e.component.label in PARTS.values()} == {"subspace"}
    assert all("fewer than 50 pairs" in warning for warning in found.warnings)


def test_losses_and_accuracies_are_those_of_a_loop_over_fresh_pairs_and_their_donors(
    planted: tuple[Spec, Plan, Measurements, EffectsResult],
) -> None:
    _, _, measured, found = planted
    data = Numbers()
    drawn = draw_pairs(data, factor="scale", samples=PAIRS, seed=SEED, contrast="increase")
    rows = {"base": drawn.base, "counterfactual": drawn.counterfactual}
    donors = choose_donors(data, rows, DonorKey(0, "scale", "counterfactual", True))
    base, target, source = (data.space.values_of(row) for row in (drawn.base, drawn.counterfactual, donors.rows))
    random = np.random.default_rng(0).standard_normal((UNITS, 1))
    bases = {
        "learned": np.array(measured.subspaces.basis[0], np.float64)[:, None],
        "whole": np.eye(UNITS),
        "random": random / np.linalg.norm(random),
    }
    sd = measured.attribute_sd()
    for part, basis in bases.items():
        lost = moved = 0.0
        right = {"area": 0, "place": 0}
        for f, wanted, other in zip(base, target, source, strict=True):
            z, donor = ROTATION[:, :3] @ f, ROTATION[:, :3] @ other
            y = ROTATION[:, :3].T @ (z + basis @ basis.T @ (donor - z))
            lost += ((y - wanted) ** 2).sum()
            moved += ((f - wanted) ** 2).sum()
            right["area"] += abs(y[0] - wanted[0]) <= 0.5 * sd["area"]
            right["place"] += abs(y[1] - wanted[1]) <= 0.5 * sd["place"]
        assert pick(found, "held_out_loss", part, "image").value == pytest.approx(lost / moved, abs=1e-4)
        for outcome, hits in right.items():
            accuracy = pick(found, "interchange_accuracy", part, outcome)
            assert accuracy.value == pytest.approx(hits / PAIRS)
            assert (accuracy.lower, accuracy.upper) == exact_interval(hits, PAIRS, 0.95)[:2]
            assert accuracy.source == "interchange given scale"
    assert pick(found, "interchange_accuracy", "learned", "area").value == 1.0
    assert pick(found, "interchange_accuracy", "learned", "place").value == 1.0
    # The whole part brings the donor's place along with its scale.
    assert pick(found, "interchange_accuracy", "whole", "place").value < 0.7
    assert pick(found, "learning_loss", "learned", "image").value < 1e-4
    null = pick(found, "null_space_share", "learned", "image")
    assert null.value == pytest.approx(0.0, abs=1e-3) and "exact, from the weights of decoder" in notes_words(
        null.notes
    )


def test_a_dormant_direction_is_warned_of_though_its_effects_are_right(tmp_path: Path) -> None:
    into = ROTATION[:, :3].copy()
    into[:, 0] += 2 * ROTATION[:, 3]
    model = network(into, ROTATION[:, :3].T)
    *_, found = run(model, tmp_path, {"learned_on": 64, "steps": 1, "restarts": 0})
    assert pick(found, "mediated_share", "learned", "area").value == pytest.approx(1.0, abs=0.02)
    assert pick(found, "null_space_share", "learned", "image").value == pytest.approx(0.8, abs=0.02)
    (warning,) = [text for text in found.warnings if "fewer than 50 pairs" not in text]
    assert "80% of latent: 1 learned direction" in warning and "nothing downstream reads" in warning
    assert "the patch may act through directions that are otherwise unused" in warning
    assert "; of random directions 0.25 on average)" in warning


def test_other_directions_that_carry_the_effect_too_are_warned_of(tmp_path: Path) -> None:
    """z0 = scale + x and z1 = scale, both read: no single direction holds x still and moves scale by all it needs."""
    model = network(np.array([[1.0, 1, 0], [1, 0, 0]]), np.array([[1.0, 1], [0, 0], [0, 0]]))
    parts = ("latent: 1 learned direction", "latent: the other direction")
    *_, found = run(model, tmp_path, {"learned_on": 64, "steps": 60})
    (warning,) = [text for text in found.warnings if "carry" in text and "reads" not in text]
    share = pick(found, "mediated_share", parts[1], "area")
    assert share.lower is not None and share.lower > 0.1
    assert f"{parts[1]} (intervention:via) carry {share.value:.0%} of the effect on area" in warning
    # In a linear network the two parts add up.
    assert pick(found, "mediated_share", parts[0], "area").value + share.value == pytest.approx(1.0, abs=1e-4)


class Noise(Numbers):
    """Each combination of levels has an input of its own that says nothing of the others': nothing to generalise."""

    def inputs(self, levels: IntArray) -> Tensor:
        keys = (levels @ np.array([100, 10, 1])).tolist()
        return torch.from_numpy(np.array([np.random.default_rng([key, 7]).normal(size=3) for key in keys])).float()


def test_what_was_learned_by_heart_is_no_better_than_chance_on_fresh_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    model = network(rng.normal(size=(40, 3)), rng.normal(size=(3, 40)))
    settings = {"learned_on": 4, "steps": 120, "restarts": 2, "tolerance": 0.5}
    *_, found = run(model, tmp_path, settings, Noise())
    parts = ("latent: 1 learned direction", "latent: 1 random direction")
    training = pick(found, "learning_loss", parts[0], "image").value
    fresh, chance = (pick(found, "held_out_loss", part, "image") for part in parts)
    assert training < 0.6 < fresh.value
    assert fresh.value > chance.value - 0.1
    for outcome in ("area", "place"):
        learned, random = (pick(found, "interchange_accuracy", part, outcome) for part in parts)
        assert learned.lower is not None and learned.upper is not None
        assert learned.lower <= random.value <= learned.upper
    assert any("fit the pairs that they were learned on" in warning for warning in found.warnings)


def test_of_swapped_samples_it_is_said_that_pairs_are_their_own_donors(tmp_path: Path) -> None:
    from causalvae.interventions.input import InputIntervention

    model = network(ROTATION[:, :3], ROTATION[:, :3].T)
    *_, found = run(model, tmp_path, {"learned_on": 16, "steps": 2}, treatment=InputIntervention(set="swap"))
    for estimand, outcome in (("learning_loss", "image"), ("held_out_loss", "image"), ("interchange_accuracy", "area")):
        assert "each pair is its own donor" in notes_words(pick(found, estimand, "learned", outcome).notes)


def test_observed_samples_say_nothing_of_directions(planted: tuple[Spec, Plan, Measurements, EffectsResult]) -> None:
    spec, plan, measured, _ = planted
    arms = arms_of(plan, Owner.intervention("via"))
    gathered = gather_samples(spec, measured, arms, "area", frozenset({"area"}))
    assert gathered.samples is None and "directions" in gathered.refusal


def test_tables_without_what_was_learned_are_refused(
    planted: tuple[Spec, Plan, Measurements, EffectsResult],
) -> None:
    spec, plan, measured, _ = planted
    bare = Measurements(plan, measured.pairs, measured.outcomes, measured.observations)
    with pytest.raises(CausalVAEError, match="CV521"):
        estimate_effects(open_context(spec, bare, WholeOutput.of((1, 1, 3))))


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (20, 20), (7, 20)])
def test_the_exact_interval_holds_what_the_binomial_does_not_reject(hits: int, n: int) -> None:
    from scipy.stats import binom

    lower, upper, _ = exact_interval(hits, n, 0.9)
    if hits:
        assert binom.sf(hits - 1, n, lower) == pytest.approx(0.05)
    if hits < n:
        assert binom.cdf(hits, n, upper) == pytest.approx(0.05)
    assert lower <= hits / n <= upper
