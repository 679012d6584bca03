"""The networks of `examples/by_hand`, run as a user runs them: their effects are those of docs/by-hand.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import causalvae
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.results import Results

EXAMPLES = Path(__file__).parents[1] / "examples" / "by_hand"


def run_example(name: str, folder: Path, **estimation: object) -> Results:
    content = YAML(typ="safe").load(EXAMPLES / f"{name}.yaml")
    # The cross-checks have tests of their own.
    content["estimation"] = {"bootstrap": 200, "dowhy": False, **estimation}
    path = folder / f"{name}.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(content, file)
    (folder / "networks.py").write_text((EXAMPLES / "networks.py").read_text())
    with causalvae.allow_code(True):
        return causalvae.run(path, folder / "runs").results


@pytest.fixture(scope="module")
def bent(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run_example("bent", tmp_path_factory.mktemp("bent"))


def found(results: Results, owner: str, estimand: str, outcome: str) -> Estimate:
    """The estimate of all mediators together: the first that an owner gives."""
    return next(
        e
        for e in results.estimates
        if (e.owner, e.estimand, e.outcome) == (Owner.intervention(owner), estimand, outcome)
    )


@pytest.mark.parametrize(
    ("estimand", "both", "total"),
    [
        ("total_effect", 1, 1),
        ("natural_direct_effect", 0, -1),
        ("natural_indirect_effect", 0, 1),
        ("interaction", 1, 1),
        ("controlled_direct_effect", 1, 0),
    ],
)
def test_effects_through_the_first_latent_are_those_worked_out_by_hand(
    bent: Results, estimand: str, both: float, total: float
) -> None:
    for outcome, value in (("both", both), ("sum", total)):
        estimate = found(bent, "through_first", estimand, outcome)
        assert estimate.value == pytest.approx(value, abs=1e-6)
        # Every pair has the same effect, so nothing is uncertain.
        assert (estimate.lower, estimate.upper) == pytest.approx((value, value), abs=1e-6)


@pytest.mark.parametrize("outcome", ["both", "sum"])
def test_both_latents_together_carry_all_of_it(bent: Results, outcome: str) -> None:
    assert found(bent, "through_both", "mediated_share", outcome).value == pytest.approx(1, abs=1e-6)
    assert found(bent, "through_both", "natural_direct_effect", outcome).value == pytest.approx(0, abs=1e-6)


def test_regression_misses_both_routes_where_they_interact_and_is_refused_where_data_cannot_tell_them_apart(
    tmp_path: Path,
) -> None:
    results = run_example("interacting", tmp_path, observational=True)
    checks = {(c.owner, c.estimand): c for c in results.cross_checks if c.method == "observational"}
    for estimand, by_hand in (("natural_direct_effect", 1.23), ("natural_indirect_effect", 0.96)):
        check = checks[Owner.intervention("via_noisy"), estimand]
        # Place and noise average to their means within what 512 draws allow: 1.8 times 0.31 / sqrt(512) is 0.025.
        assert check.exact == pytest.approx(by_hand, abs=0.08)
        assert check.lower is not None and check.lower > check.exact + 0.2
        refused = checks[Owner.intervention("via_certain"), estimand]
        assert refused.value is None and "function of the treatment" in refused.refusal
    assert found(results, "via_noisy", "interaction", "answer").value == pytest.approx(1.08, abs=1e-5)
