"""A two-layer ReLU VAE with weights set by hand, run by the engine: every effect is worked out on paper.

The input is (a, b). The encoder gives z = (relu(a), relu(a - 1)); the decoder's hidden layer is
g = (relu(z0 + z1 - 2), relu(z0 - z1)), and the outcomes are both = g0, which needs both latents, and sum = g0 + g1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalvae.data.dataset import Grid
from causalvae.data.factors import Factor, FactorSpace, IntArray
from causalvae.data.pairs import draw_pairs
from causalvae.effects import estimate_effects, open_context
from causalvae.effects.changes import changes_of
from causalvae.effects.mediation import arms_of, pair_effects
from causalvae.effects.outcomes import Outcomes
from causalvae.effects.types import Estimate
from causalvae.engine.execute import execute_plan
from causalvae.engine.fitting import split_of
from causalvae.engine.measurements import Measurements
from causalvae.interventions.mediation.controlled import controlled_effects
from causalvae.models.loading import assemble
from causalvae.models.vae import VAE
from causalvae.plan.owner import Owner
from causalvae.plan.types import OBSERVED, Arm, Cohort, Patch, Plan, Treatment, Use
from causalvae.report.notes import notes_words
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import make_source
from causalvae.spec.whole_output import WholeOutput
from tests.effects.synthetic import make_spec
from tests.targets import target

PAIRS = 24
OWNER = Owner.intervention("via")

# (a, a') -> TE, NDE, NIE, TIE with z0 as mediator. From 1 to 2, for the sum: z goes from (1, 0) to (2, 1), so
# Y = relu(-1) + relu(1) = 1 and Y' = relu(1) + relu(1) = 2; with z0 alone moved relu(0) + relu(2) = 2; with z0 alone
# held relu(0) + relu(0) = 0.
BY_HAND = {
    "both": {(0, 1): (0, 0, 0, 0), (0, 2): (1, 0, 0, 1), (1, 2): (1, 0, 0, 1)},
    "sum": {(0, 1): (1, 0, 1, 1), (0, 2): (2, 0, 2, 2), (1, 2): (1, -1, 1, 2)},
}


@dataclass
class Pair(Grid):
    """Inputs that are two factors themselves: a `Dataset`."""

    name = "pair"
    # A world that can be asked without end: pairs may repeat.
    size = None
    space = FactorSpace((Factor("scale", "ordinal", (0.0, 1.0, 2.0)), Factor("x", "ordinal", (0.0, 1.0))))
    input_shape = (2,)

    def inputs(self, levels: IntArray) -> Tensor:
        return torch.from_numpy(self.space.values_of(levels)).float()

    def describe(self) -> dict[str, Any]:
        return {}


def layer(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    made = nn.Linear(len(weight[0]), len(weight))
    made.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return made


def measure(outputs: Tensor) -> Tensor:
    """both = g0 and sum = g0 + g1, the two numbers that the decoder gives."""
    return outputs.double()


# (a, a') -> CDE with z0 held. For the sum at 1: from 0 to 2, z1 goes from 0 to 1, and with it g1 from 1 to 0, while g0
# stays 0; at 2, g0 rises from 0 to 1 and g1 falls from 2 to 1.
HELD = {
    ("both", 1.0): {(0, 1): 0, (0, 2): 0, (1, 2): 0},
    ("both", 2.0): {(0, 1): 0, (0, 2): 1, (1, 2): 1},
    ("sum", 1.0): {(0, 1): 0, (0, 2): -1, (1, 2): -1},
    ("sum", 2.0): {(0, 1): 0, (0, 2): 0, (1, 2): 0},
}

TREATED = Cohort("do", PAIRS, 3, Treatment("resize", "scale", None, "hold", "increase"))

Run = Callable[..., tuple[Spec, Plan, Measurements]]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Run:
    encoder = nn.Sequential(
        layer([[1.0, 0.0], [1.0, 0.0]], [0.0, -1.0]),
        nn.ReLU(),
        layer([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]], [0.0] * 4),
    )
    decoder = nn.Sequential(
        layer([[1.0, 1.0], [1.0, -1.0]], [-2.0, 0.0]), nn.ReLU(), layer([[1.0, 0.0], [1.0, 1.0]], [0.0, 0.0])
    )
    model = assemble(VAE(encoder, decoder, 2, (2,), activation="none", likelihood="gaussian"), False, "relu", {})

    def run(patch: Patch, held: Patch | None = None, treated: Cohort = TREATED) -> tuple[Spec, Plan, Measurements]:
        named = {"treatment": "resize", "mediators": ["latent[0]"], "outcomes": ["both", "sum"]}
        spec = make_spec(
            attributes=("both", "sum"),
            edges=("scale -> both", "scale -> sum"),
            interventions=[{"name": "via", "mediation": named}],
            bootstrap=300,
        )
        uses, arms = [], []
        for side, role in (("base", "sufficiency"), ("counterfactual", "necessity")):
            clean = Arm(treated.name, side, (), PAIRS)  # type: ignore[arg-type]
            patched = Arm(treated.name, side, (patch,), PAIRS)  # type: ignore[arg-type]
            arms += [clean, patched]
            uses += [Use(owner, side, clean.id) for owner in (OWNER, Owner.intervention("resize"))]  # type: ignore[arg-type]
            uses.append(Use(OWNER, role, patched.id, target("mediator"), "set", 0))  # type: ignore[arg-type]
        for index, side in enumerate(("base", "counterfactual") if held is not None else ()):
            arm = Arm(treated.name, side, (held,), PAIRS)  # type: ignore[arg-type]
            arms.append(arm)
            uses.append(Use(OWNER, "controlled", arm.id, target("mediator"), "set", index))
        cohorts = (Cohort(OBSERVED, 30, 3), treated)
        arms.append(Arm(OBSERVED, "base", (), 30))
        plan = Plan("relu", "s", "relu", cohorts, tuple(arms), tuple(uses), ("both", "sum"), shard_pairs=10)
        found = execute_plan(plan, model, Pair(), measure, tmp_path_factory.mktemp("relu"), "cpu")
        return spec, plan, found

    return run


def steps() -> list[tuple[int, int]]:
    """(a, a') of every pair."""
    pairs = draw_pairs(Pair(), factor="scale", samples=PAIRS, seed=3, contrast="increase")
    return [(int(base), int(other)) for base, other in zip(pairs.base[:, 0], pairs.counterfactual[:, 0], strict=True)]


@pytest.mark.parametrize("outcome", ["both", "sum"])
def test_pair_effects_equal_those_worked_out_by_hand(outcome: str, context: Run) -> None:
    _, plan, found = context(Patch("latent", (0,), make_source("interchange")))
    assert set(steps()) == set(BY_HAND[outcome]), "all steps must occur"
    effects = pair_effects(Outcomes(found), arms_of(plan, OWNER), outcome)
    expected = np.array([BY_HAND[outcome][step] for step in steps()], dtype=np.float64).T
    np.testing.assert_array_equal([effects.total, effects.direct, effects.indirect, effects.total_indirect], expected)
    # Interaction: nothing of "both" passes either latent alone, so all of it is interaction.
    by_step = dict(zip(steps(), effects.interaction.tolist(), strict=True))
    assert by_step == {"both": {(0, 1): 0, (0, 2): 1, (1, 2): 1}, "sum": {(0, 1): 0, (0, 2): 0, (1, 2): 1}}[outcome]


def value_of(estimates: tuple[Estimate, ...], estimand: str, outcome: str) -> float:
    (found,) = [e for e in estimates if (e.estimand, e.outcome, e.owner) == (estimand, outcome, OWNER)]
    return found.value


def test_estimates_are_the_means_of_the_hand_made_table(
    context: Run,
) -> None:
    spec, _, found = context(Patch("latent", (0,), make_source("interchange")))
    estimates = estimate_effects(open_context(spec, found, WholeOutput.of((1, 1, 2)))).estimates
    for outcome, table in BY_HAND.items():
        total, direct, indirect, held = np.array([table[step] for step in steps()], dtype=np.float64).T
        for estimand, column in (
            ("total_effect", total),
            ("natural_direct_effect", direct),
            ("natural_indirect_effect", indirect),
            ("total_indirect_effect", held),
            ("interaction", total - direct - indirect),
        ):
            assert value_of(estimates, estimand, outcome) == pytest.approx(column.mean(), abs=1e-12)
        share, need = (indirect * total).sum() / (total**2).sum(), (held * total).sum() / (total**2).sum()
        assert value_of(estimates, "mediated_share", outcome) == pytest.approx(share, abs=1e-12)
        assert value_of(estimates, "necessity", outcome) == pytest.approx(need, abs=1e-12)
    # Neither latent is sufficient for "both", each is necessary.
    assert value_of(estimates, "mediated_share", "both") == 0
    assert value_of(estimates, "necessity", "both") == 1


def test_a_hidden_unit_carries_what_it_alone_computes(
    context: Run,
) -> None:
    """g0 after its ReLU is "both"; of the sum it carries just that, without interaction: the last layer is linear."""
    _, plan, found = context(Patch("decoder.1", (0,), make_source("interchange")))
    both, total = (pair_effects(Outcomes(found), arms_of(plan, OWNER), name) for name in ("both", "sum"))
    np.testing.assert_array_equal(both.indirect, both.total)
    np.testing.assert_array_equal(both.direct, 0)
    np.testing.assert_array_equal(total.indirect, [BY_HAND["both"][step][0] for step in steps()])
    np.testing.assert_array_equal(total.interaction, 0)


@pytest.mark.parametrize("value", [1.0, 2.0])
def test_the_controlled_direct_effect_depends_on_the_value_held(value: float, context: Run) -> None:
    held = Patch("latent", (0,), make_source("constant", value))
    spec, plan, found = context(Patch("latent", (0,), make_source("interchange")), held)
    arms = {use.index: use.arm for use in plan.uses_of(OWNER, "controlled")}
    clean = [plan.uses_of(OWNER, role)[0].arm for role in ("base", "counterfactual")]
    estimates = estimate_effects(open_context(spec, found, WholeOutput.of((1, 1, 2)))).estimates
    for outcome in ("both", "sum"):
        by_hand = [HELD[outcome, value][step] for step in steps()]
        changes = changes_of(Outcomes(found), clean[0], clean[1], outcome)
        effects = controlled_effects(changes, (arms[0], arms[1]), PAIRS)
        np.testing.assert_array_equal(effects, by_hand)
        (estimate,) = [e for e in estimates if (e.estimand, e.outcome) == ("controlled_direct_effect", outcome)]
        assert estimate.value == pytest.approx(np.mean(by_hand), abs=1e-12)
        assert notes_words(estimate.notes).startswith(f"mediators held at {value:g}")
        assert (estimate.source, estimate.component.label) == ("constant", "mediator")


def test_a_controlled_effect_on_the_image_lies_along_its_total_change(context: Run) -> None:
    held = Patch("latent", (0,), make_source("constant", 1.0))
    spec, _, found = context(Patch("latent", (0,), make_source("interchange")), held)
    (estimate,) = [
        e
        for e in estimate_effects(open_context(spec, found, WholeOutput.of((1, 1, 2)))).estimates
        if (e.estimand, e.outcome) == ("controlled_direct_effect", "image")
    ]
    expected = []
    for step in steps():
        total = np.array([BY_HAND[name][step][0] for name in ("both", "sum")], dtype=np.float64)
        change = np.array([HELD[name, 1.0][step] for name in ("both", "sum")], dtype=np.float64)
        expected.append(change @ total / np.linalg.norm(total))
    assert estimate.value == pytest.approx(np.mean(expected), rel=1e-6)


def test_quantiles_and_means_are_one_value_for_both_sides(context: Run) -> None:
    """z0 at its largest observed value, 2, and at its mean over other bases, below 1 1/2: g0 needs z0 + z1 > 2."""
    top = context(
        Patch("latent", (0,), make_source("interchange")), Patch("latent", (0,), make_source("quantile", 1.0))
    )
    mean = context(Patch("latent", (0,), make_source("interchange")), Patch("latent", (0,), make_source("mean")))
    fitted = split_of(top[1].cohorts[1], 0, PAIRS)
    others = draw_pairs(Pair(), factor="scale", samples=PAIRS, seed=fitted.seed, contrast="increase")
    for (_, plan, found), value in ((top, 2.0), (mean, others.base[:, 0].mean())):
        arms = {use.index: use.arm for use in plan.uses_of(OWNER, "controlled")}
        clean = [plan.uses_of(OWNER, role)[0].arm for role in ("base", "counterfactual")]
        z1 = np.array([[max(a - 1, 0) for a in step] for step in steps()], dtype=np.float64).T
        total = np.maximum(value + z1 - 2, 0) + np.maximum(value - z1, 0)
        changes = changes_of(Outcomes(found), clean[0], clean[1], "sum")
        effects = controlled_effects(changes, (arms[0], arms[1]), PAIRS)
        np.testing.assert_allclose(effects, total[1] - total[0], atol=1e-6)


@pytest.mark.parametrize(("start", "level"), [(0, 2), (2, 0)])
def test_a_declared_contrast_has_a_sign(start: int, level: int, context: Run) -> None:
    treatment = Treatment("resize", "scale", level, "hold", "as_drawn", start_level=start)
    patch = Patch("latent", (0,), make_source("interchange"))
    spec, plan, found = context(patch, treated=Cohort("do", PAIRS, 3, treatment))
    effects = pair_effects(Outcomes(found), arms_of(plan, OWNER), "sum")
    # From 0 to 2 by hand as in the table; from 2 to 0 the way back, along which z0 alone leaves relu(0 - 1) = 0.
    forth = (start, level) == (0, 2)
    np.testing.assert_array_equal(effects.total, 2 if forth else -2)
    np.testing.assert_array_equal(effects.indirect, 2 if forth else -2)
    estimates = estimate_effects(open_context(spec, found, WholeOutput.of((1, 1, 2)))).estimates
    assert not [e for e in estimates if "as drawn" in notes_words(e.notes)]
