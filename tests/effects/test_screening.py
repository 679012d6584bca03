"""What a screen missed: estimates from a random sample against populations that are known whole."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causalvae.effects.outcomes import Outcomes
from causalvae.effects.recall import estimate_recall, rank_correlation
from causalvae.effects.scale import Scale
from causalvae.effects.screening import exact_sizes, left_out, summarise_screen
from causalvae.effects.types import ScreenSummary
from causalvae.engine.measurements import Measurements
from causalvae.models.loading import assemble
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Cohort, Patch, Plan, Screen, ScreenMethod, Side, Use
from causalvae.spec.value_source import make_source
from causalvae.spec.whole_output import WholeOutput
from tests.engine.test_screening import Sweep, saturated, units_of
from tests.targets import target

LEVEL = 0.95


def population(rng: np.random.Generator, size: int, noise: float, dead: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Effects, and scores that follow them with noise; a few scores are zero, as of units that saturate."""
    effects = np.exp(1.5 * rng.normal(size=size))
    effects[rng.random(size) < dead] = 0.0
    scores = effects * np.exp(noise * rng.normal(size=size))
    scores[rng.random(size) < 0.02] = 0.0
    return effects, scores


def true_recall(kept: np.ndarray, rest: np.ndarray) -> float:
    """Found by sorting all effects, ties in favour of the kept."""
    effects = np.concatenate([kept, rest])
    best = np.argsort(-effects, kind="stable")[: len(kept)]
    return float((best < len(kept)).mean())


@pytest.mark.parametrize(("size", "kept", "checked"), [(400, 40, 64), (200, 20, 100)])
def test_recall_is_hit_on_average_and_its_interval_covers(size: int, kept: int, checked: int) -> None:
    rng = np.random.default_rng(size)
    repeats, errors = 150, []
    for noise in (0.1, 0.6, 2.0):
        for dead in (0.0, 0.5, 0.0, 0.5):
            effects, scores = population(rng, size, noise, dead)
            order = np.argsort(-scores, kind="stable")
            best, rest = effects[order[:kept]], effects[order[kept:]]
            truth = true_recall(best, rest)
            draws = (rng.choice(rest, checked, replace=False) for _ in range(repeats))
            found = [estimate_recall(best, draw, len(rest), LEVEL) for draw in draws]
            errors.append(float(np.mean([each.value for each in found])) - truth)
            covered = np.mean([each.lower - 1e-9 <= truth <= each.upper + 1e-9 for each in found])
            # Three binomial errors below the level that is promised.
            assert covered > LEVEL - 3 * math.sqrt(LEVEL * (1 - LEVEL) / repeats)
            assert all(0 <= each.lower <= each.value <= each.upper <= 1 for each in found)
            # It tells good screens from bad ones.
            assert np.mean([each.upper for each in found]) < 0.85 or noise < 2.0
    assert abs(np.mean(errors)) < 0.02
    assert max(map(abs, errors)) < 0.06


@pytest.mark.parametrize("seed", range(8))
def test_a_whole_sample_gives_the_recall_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    effects, scores = population(rng, 60, 0.8, dead=0.3)
    order = np.argsort(-scores, kind="stable")
    best, rest = effects[order[:9]], effects[order[9:]]
    found = estimate_recall(best, rng.permutation(rest), len(rest), LEVEL)
    assert found.value == pytest.approx(true_recall(best, rest), abs=1e-12)
    assert found.lower == pytest.approx(found.value) == found.upper


def test_recall_at_its_ends() -> None:
    ten = np.arange(1.0, 11.0)
    assert estimate_recall(ten, 100 + ten, 10, LEVEL).value == 0.0
    assert estimate_recall(ten, -ten, 10, LEVEL).value == 1.0
    # All equal: as many of the kept as of any others are among the best.
    assert estimate_recall(np.zeros(5), np.zeros(20), 20, LEVEL).value == 1.0
    assert estimate_recall(ten, np.empty(0), 0, LEVEL) == estimate_recall(ten, -ten, 10, LEVEL)
    unknown = estimate_recall(ten, np.empty(0), 30, LEVEL)
    assert (math.isnan(unknown.value), unknown.lower, unknown.upper) == (True, 0.0, 1.0)
    # Undefined effects are none of the best.
    assert estimate_recall(ten, np.array([np.nan, 0.5]), 2, LEVEL).value == 1.0
    with pytest.raises(ValueError, match="1 of 0"):
        estimate_recall(ten, np.zeros(1), 0, LEVEL)


def test_rank_correlation_and_its_interval() -> None:
    rng = np.random.default_rng(5)
    rho, n = 0.6, 64
    # Of a normal pair with correlation r, Spearman's is 6 / pi arcsin(r / 2).
    truth = 6 / math.pi * math.asin(rho / 2)
    covered, values = 0, []
    for _ in range(600):
        first = rng.normal(size=n)
        second = rho * first + math.sqrt(1 - rho**2) * rng.normal(size=n)
        found = rank_correlation(np.exp(first), second, LEVEL)
        values.append(found.value)
        covered += found.lower <= truth <= found.upper
    assert abs(np.mean(values) - truth) < 0.02
    assert 0.92 < covered / 600 < 0.985
    assert rank_correlation(np.array([1.0, 2.0, 2.0, 4.0]), np.array([1.0, 5.0, 5.0, 9.0]), LEVEL).value == 1.0
    assert math.isnan(rank_correlation(np.zeros(5), np.arange(5.0), LEVEL).value)
    three = rank_correlation(np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 3.0, 2.0, 0.0]), LEVEL)
    assert (three.value, math.isnan(three.lower)) == (pytest.approx(0.5), True)


def summary(sweep: Sweep, method: ScreenMethod) -> ScreenSummary:
    plan = sweep.plan(units_of({"encoder.0": 20}), "first", method, steps=8, kept=3, checked=17)
    found = sweep.run(plan)
    scale = Scale({"first": 1.0}, {}, {"first": "units"}, WholeOutput.of((1, 1, 6)), output_sd=1.0)
    return summarise_screen(plan.screens[0], plan, found.screens, Outcomes(found), scale, "do-a", LEVEL)


def test_recall_shows_where_gradients_miss_what_saturates(tmp_path: Path) -> None:
    sweep = Sweep(assemble(saturated(3, 17), False, "saturated", {}), tmp_path)
    tangent, line = summary(sweep, "attribution"), summary(sweep, "integrated_gradients")
    assert (tangent.recall, tangent.recall_lower, tangent.recall_upper) == (0.0, 0.0, 0.0)
    assert (line.recall, line.recall_lower, line.recall_upper) == (1.0, 1.0, 1.0)
    assert tangent.rank_correlation < line.rank_correlation
    assert (tangent.direction, tangent.unit, tangent.pairs, tangent.left_out) == ("denoising", "units", 11, 0)
    assert [each.selected for each in tangent.components].count("kept") == 3


ARMS = [Arm("c", "counterfactual", (Patch("latent", (unit,), make_source("interchange")),), 4) for unit in range(3)]
CLEAN: dict[Side, Arm] = {"base": Arm("c", "base", (), 4), "counterfactual": Arm("c", "counterfactual", (), 4)}


def noising(outcome: str) -> tuple[Plan, Measurements]:
    """A sweep of three components in the counterfactual run, the last of which was left out."""
    uses = [Use(Owner.intervention("s"), side, arm.id) for side, arm in CLEAN.items()]
    uses += [
        Use(Owner.intervention("s"), "sweep", arm.id, target(f"latent[{unit}]"), "channel", unit)
        for unit, arm in enumerate(ARMS)
    ]
    screen = Screen(Owner.intervention("s"), "counterfactual", outcome, "attribution", 1, 1, 1, 0)
    plan = Plan(
        "p", "s", "m", (Cohort("c", 4, 0),), (*CLEAN.values(), *ARMS), tuple(uses), ("angle",), screens=(screen,)
    )
    images = {
        CLEAN["base"].id: [0.0, 0.0],
        CLEAN["counterfactual"].id: [3.0, 4.0],
        ARMS[0].id: [3.0, 0.0],
        ARMS[1].id: [3.0, 4.0],
    }
    angles = {CLEAN["base"].id: 0.0, CLEAN["counterfactual"].id: 3.0, ARMS[0].id: 0.1, ARMS[1].id: np.nan}
    frames = [
        pd.DataFrame({"arm": arm, "pair": range(4), "angle": angles[arm], "live": True,
                      "image_sq": float(np.dot(y, y)), "image_dot": float(np.dot(y, [3.0, 4.0]))})
        for arm, y in images.items()
    ]  # fmt: skip
    scores = pd.DataFrame({"owner": str(Owner.intervention("s")), "side": "counterfactual",
                           "arm": [arm.id for arm in ARMS],
                           "component": "c", "granularity": "channel", "attribution": [3.0, 1.0, 0.5],
                           "selected": ["kept", "checked", "left out"]})  # fmt: skip
    return plan, Measurements(
        plan, pd.DataFrame(), pd.concat(frames, ignore_index=True), pd.DataFrame(), screens=scores
    )


def test_exact_sizes_are_measured_from_the_patched_side() -> None:
    plan, found = noising("image")
    ids = [arm.id for arm in ARMS[:2]]
    assert exact_sizes(plan.screens[0], plan, ids, Outcomes(found), {}) == [4.0, 0.0]
    plan, found = noising("angle")
    around, nowhere = exact_sizes(plan.screens[0], plan, ids, Outcomes(found), {"angle": math.pi})
    assert (around, math.isnan(nowhere)) == (pytest.approx(math.pi - 2.9), True)


def test_what_was_left_out_has_no_exact_effect() -> None:
    plan, found = noising("image")
    assert left_out(plan, found.screens) == {ARMS[2].id}
    scale = Scale({}, {}, {}, WholeOutput.of((1, 1, 2)), output_sd=1.0)
    told = summarise_screen(plan.screens[0], plan, found.screens, Outcomes(found), scale, "resize", LEVEL)
    assert [(each.component.label, each.selected, each.attribution, each.exact) for each in told.components] == [
        ("latent[0]", "kept", 3.0, 4.0),
        ("latent[1]", "checked", 1.0, 0.0),
        ("latent[2]", "left out", 0.5, None),
    ]
    assert (told.direction, told.unit, told.kept, told.checked, told.left_out) == ("noising", "pixel L2", 1, 1, 1)
    # Someone else asks for the arm: it is run, and its effect is told.
    asked = replace(plan, uses=(*plan.uses, Use(Owner.hypothesis("h"), "sufficiency", ARMS[2].id)))
    assert left_out(asked, found.screens) == frozenset()
