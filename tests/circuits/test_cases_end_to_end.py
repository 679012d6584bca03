"""Claims about networks whose circuits are known, from spec to verdict; against plain forward hooks; idle latents."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import causalvae
from causalvae.circuits import Verdict
from causalvae.report.verdict_words import reason
from causalvae.session import open_session
from tests.circuits.case_networks import case_spec, hooked, pairs_of, run_case

SHARE = {"mediated_share": {"at_least": 0.7}}
BOTH = {**SHARE, "necessity": {"at_least": 0.7}}
FULL = {**BOTH, "off_target": {"at_most": 0.2}}
SHARED = Path(__file__).parents[3] / "shared" / "cases" / "circuits"


def latents(*units: int) -> list[str]:
    return [f"latent[{unit}]" for unit in units]


def test_a_padded_circuit_is_sufficient_and_told_not_to_be_minimal(tmp_path: Path) -> None:
    claims = [
        {"circuit": latents(0, 1, 2, 3, 4), "expect": FULL},
        {"circuit": latents(0, 1, 2, 3, 4), "expect": {**FULL, "minimal": True}},
        {"circuit": latents(0), "expect": {**FULL, "minimal": True}},
    ]
    (padded, minimal, right), _ = run_case(tmp_path, "single", claims)
    assert [verdict.status for verdict in (padded, minimal, right)] == ["unspecific", "refuted", "supported"]
    assert padded.p_bounds < 0.05 and "so the circuit is sufficient" in reason(padded)
    for verdict in (padded, minimal):
        assert verdict.minimality is not None
        assert [member.label for member in verdict.minimality.of("useless")] == latents(1, 2, 3, 4)
        assert verdict.minimality.smallest[0][0].units == (0,)


def test_a_circuit_that_another_cancels_is_refuted(tmp_path: Path) -> None:
    (alone, pair), _ = run_case(
        tmp_path, "cancel", [{"circuit": latents(0), "expect": SHARE}, {"circuit": latents(0, 1), "expect": SHARE}],
        carriers=2,
    )  # fmt: skip
    assert (alone.status, pair.status) == ("refuted", "supported")
    assert "something else cancels it: latent[1] (alone -1900%)" in reason(alone)
    assert alone.errors[0].value == pytest.approx(19, rel=1e-3)


def test_eleven_true_claims_are_supported(tmp_path: Path) -> None:
    claims = [
        {"circuit": latents(0), "expect": {"mediated_share": {"at_least": 0.5 + 0.02 * k}}} for k in range(11)
    ]  # fmt: skip
    verdicts, plan = run_case(tmp_path, "single", claims)
    assert {verdict.status for verdict in verdicts} == {"supported"}
    # The same rivals serve all eleven.
    assert len({use.arm for use in plan.uses if use.role == "rival"}) == 7


def test_errors_of_the_circuit_its_rivals_and_its_parts_by_plain_hooks(tmp_path: Path) -> None:
    claim = {"circuit": latents(0, 1), "expect": BOTH}
    (verdict,), plan = run_case(tmp_path, "bent", [claim], latents=6, carriers=3)
    with causalvae.allow_code(True):
        session = open_session(case_spec("bent", [claim], latents=6, carriers=3), tmp_path)
    vae, inputs = session.model.vae, pairs_of(plan, session.dataset)
    base, other = inputs["base"], inputs["counterfactual"]
    y, y_cf = (hooked(vae, value, value, ()) for value in (base, other))

    def errors(units: tuple[int, ...], pairs: int) -> tuple[float, float]:
        total = (y_cf - y)[:pairs]
        alone = hooked(vae, base[:pairs], other[:pairs], units) - y[:pairs]
        removed = hooked(vae, other[:pairs], base[:pairs], units) - y[:pairs]
        square = float((total**2).sum())
        return float(((total - alone) ** 2).sum() / square) ** 0.5, float((removed**2).sum() / square) ** 0.5

    assert [error.value for error in verdict.errors] == pytest.approx(errors((0, 1), len(base)), abs=1e-5)
    assert verdict.rivals is not None and verdict.rivals.count == 6 + 15 - 1
    for rival in verdict.rivals.best:
        units = tuple(unit for part in rival.circuit for unit in part.units or ())
        assert (rival.error, rival.error_removed) == pytest.approx(errors(units, 32), abs=1e-5)
    assert verdict.minimality is not None
    own = errors((0, 1), 32)
    for loss, kept in zip(verdict.minimality.members, (1, 0), strict=True):
        assert loss.loss == pytest.approx(max(a - b for a, b in zip(errors((kept,), 32), own, strict=True)), abs=1e-5)


def found(verdict: Verdict) -> tuple[Any, ...]:
    rivals, members = verdict.rivals, verdict.minimality
    assert rivals is not None
    return (
        verdict.status,
        rivals.meets,
        rivals.as_well > 0,
        None if members is None else tuple((loss.member.label, loss.status) for loss in members.members),
    )


@pytest.mark.parametrize(
    ("kind", "carriers", "circuit", "expect", "status"),
    [
        ("quarter", 4, (0,), {"mediated_share": {"at_least": 0.2}}, "supported"),
        ("sum", 2, (0, 1), SHARE, "supported"),
        ("either", 2, (0, 1), SHARE, "unspecific"),
        ("single", 1, (0, 1, 2), SHARE, "unspecific"),
    ],
)
def test_latents_that_nothing_reads_change_no_verdict(
    tmp_path: Path, kind: str, carriers: int, circuit: tuple[int, ...], expect: dict[str, Any], status: str
) -> None:
    """From six latents to a hundred, with a loud unread one that follows the treatment; pairs of 100 are 4,950 sets."""
    claim = [{"circuit": latents(*circuit), "expect": expect}]
    seen = set()
    for number, (size, loud) in enumerate(((6, 0.0), (100, 0.01), (100, 100.0))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (verdict,), plan = run_case(folder, kind, claim, latents=size, carriers=carriers, loud=loud)
        seen.add(found(verdict))
        assert plan.claims["h0"].rivals == "every"
    assert len(seen) == 1, seen
    assert seen.pop()[0] == status


def test_active_units_are_those_that_are_moved_and_read(tmp_path: Path) -> None:
    claim = [{"circuit": latents(0, 1), "expect": SHARE}]
    for kind, active in (("either", {0, 1}), ("bent", {0, 1, 2})):
        folder = tmp_path / kind
        folder.mkdir()
        _, plan = run_case(folder, kind, claim, latents=100, carriers=3, loud=50.0)
        arms = {arm.id: arm for arm in plan.arms}
        tried = {unit for use in plan.uses if use.role == "rival" for unit in arms[use.arm].patches[0].units or ()}
        assert tried == active


def test_random_circuits_where_there_are_too_many_to_run_all(tmp_path: Path) -> None:
    few = {"circuits": "random", "samples": 30, "pairs": 32}
    claims = [{"circuit": latents(*units), "expect": SHARE, "null": few} for units in ((0, 1, 2, 3), (0, 1, 2, 9))]
    (right, short), plan = run_case(tmp_path, "wide", claims, latents=14, carriers=10)
    assert right.rivals is not None and short.rivals is not None
    # Two claims at 0.05 take 39 random circuits.
    assert (right.rivals.kind, right.rivals.count, right.rivals.as_well) == ("random", 39, 0)
    assert right.rivals.p_value == 1 / 40 and right.status == "supported"
    arms = {arm.id: arm for arm in plan.arms}
    drawn = {unit for use in plan.uses if use.role == "rival" for unit in arms[use.arm].patches[0].units or ()}
    assert drawn <= set(range(10)), "units that the treatment does not move are not drawn"
    assert short.rivals.as_well > 0 and short.status != "supported"


@pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED} is not here")
@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("dead-6", {"supported"}),
        ("dead-40", {"supported"}),
        ("over", {"refuted"}),
        ("pad", {"unspecific"}),
        ("eleven", {"supported"}),
    ],
)
def test_shared_cases(tmp_path: Path, name: str, statuses: set[str]) -> None:
    for file in (f"{name}.yaml", "networks.py"):
        shutil.copy(SHARED / file, tmp_path / file)
    with causalvae.allow_code(True):
        outcome = causalvae.run(tmp_path / f"{name}.yaml", tmp_path / "runs")
    assert {verdict.status for verdict in outcome.results.verdicts} == statuses
