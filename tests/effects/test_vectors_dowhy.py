"""Vector outcomes through DoWhy, and every kind of outcome of a declared contrast through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from causalvae.effects.ablation import Ablation
from causalvae.effects.cross_checks import Case, CrossChecks, cross_check
from causalvae.effects.dowhy import crossed_contrasts, estimate_with_dowhy
from causalvae.effects.mediation import arms_of, pair_effects
from causalvae.effects.outcomes import Outcomes
from causalvae.effects.scale import Vector
from causalvae.plan.owner import Owner
from causalvae.report.notes import notes_words
from tests.effects.synthetic import Array, Network, make_spec
from tests.effects.tiny_networks import write_tiny
from tests.targets import target

OWNER = Owner.intervention("via")
NAMES = ("first", "second")
Decode = Callable[[Array], dict[str, Array]]


def linear(z: Array) -> dict[str, Array]:
    return {"first": 400 + z @ np.array([2.0, -1.0, 0.5]), "second": z[:, 1] - z[:, 2]}


def interacting(z: Array) -> dict[str, Array]:
    first = z[:, 0] + 1.5 * z[:, 0] * z[:, 1]
    first[::17] = np.nan
    return {"first": first, "second": np.tanh(z[:, 0] - z[:, 2]) * z[:, 1]}


def turning(z: Array) -> dict[str, Array]:
    return {"first": np.mod(z[:, 0] + 0.3 * z[:, 1], 2.0), "second": z[:, 0] * z[:, 2]}


def case_of(decode: Decode, units: tuple[int, ...], periods: tuple[float | None, ...]) -> tuple[Case, Network]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, 3))
    spec = make_spec(attributes=NAMES, edges=(), dowhy=True, observational=True)
    network = Network(spec, decode, z, z + rng.normal(0.7, 0.3, size=z.shape))
    network.mediation(OWNER, units)
    plan, measurements = network.finish()
    vector = Vector(NAMES, (3.0, 0.5), periods, "sd", 1.0)
    outcomes, arms = Outcomes(measurements), arms_of(plan, OWNER)
    effects = pair_effects(outcomes, arms, "both", None, vector)
    return Case(effects, arms, Ablation(OWNER, component=target("latent[0]")), "sd", vector=vector), network


@pytest.mark.parametrize(
    ("decode", "units", "period"),
    [(linear, (0,), None), (interacting, (1,), None), (interacting, (0, 2), None), (turning, (0,), 2.0)],
    ids=["linear", "interacting", "set of mediators", "a component on a circle"],
)
def test_dowhy_equals_the_exact_effects_along_the_change(
    decode: Decode, units: tuple[int, ...], period: float | None
) -> None:
    case, network = case_of(decode, units, (period, None))
    outcomes = Outcomes(network.finish()[1])
    exact = case.exact()
    contrasts = crossed_contrasts(outcomes, case.arms, case.effects, None, case.vector)
    assert {contrast.estimand for contrast in contrasts} == set(exact)
    for contrast in contrasts:
        assert len(contrast.rows) == 2 * case.effects.n
        effect = estimate_with_dowhy(contrast)
        assert effect.value == pytest.approx(exact[contrast.estimand], abs=1e-9)
        assert effect.agrees


@pytest.mark.parametrize("period", [None, 2.0])
def test_other_ways_agree_or_say_why_they_do_not_apply(period: float | None) -> None:
    case, network = case_of(turning if period else interacting, (0,), (period, None))
    checks = CrossChecks()
    measurements = network.finish()[1]
    estimates = cross_check(network.spec, measurements, Outcomes(measurements), case, frozenset(), checks)
    assert {(e.outcome, e.estimator, e.unit) for e in estimates} == {("both", "dowhy", "sd")}
    assert all("(first, second)" in notes_words(e.notes) for e in estimates)
    for check in checks.checks:
        if check.method == "observational":
            assert "a different direction" in check.refusal
        elif check.method == "gcm" and period:
            assert "circle" in check.refusal
        else:
            assert check.agrees, check
    assert {"dowhy", "gcm", "observational"} <= {check.method for check in checks.checks}
    assert bool(checks.arrows) == (period is None)
    assert checks.warnings == ()


@pytest.mark.slow
def test_a_declared_contrast_of_labels_on_every_kind_of_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """do(kind: plain -> rich) raises the dose; Y = (z0 + 2 z1 + z2 / 2, z2) with z = (dose, dose + ., 0.4 dose + .).

    So TE = dose' (3.2, 0.4), and latent 0 alone moves dose' (1, 0): shares of 1 / 3.2 of the answer, none of the other
    column, and 3.2 / (3.2^2 + 0.4^2) of both together, which is all of the output.
    """
    from typer.testing import CliRunner

    from causalvae.cli.app import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    path = write_tiny(
        tmp_path,
        "linear",
        ("latent[0]",),
        data={
            "source": "scm",
            "world": "table",
            "scale": "none",
            "variables": {
                "kind": {"levels": ["plain", "rich"], "hidden": True},
                "dose": "0.4 * case(kind, plain=0, rich=1) + uniform(0, 0.5)",
                "place": "uniform(0, 1)",
            },
            "samples": 40,
        },
        graph={
            "factors": ["kind", "dose", "place"],
            "attributes": {"answer": {"readout": "column", "index": 0}, "where": {"readout": "column", "index": 1}},
            "vectors": {"both": {"components": ["answer", "where"], "scale": "raw"}},
            "edges": ["kind -> dose", "dose -> answer", "place -> answer", "place -> where", "dose -> where"],
        },
        interventions=[
            {"name": "enrich", "input": {"factor": "kind", "set": {"from": "plain", "to": "rich"},
                                         "others": "propagate"}},
            {"name": "via", "mediation": {"treatment": "enrich", "mediators": ["latent[0]"],
                                          "outcomes": ["answer", "both", "image"]}},
        ],
        hypotheses=[
            {"name": f"carried-{outcome}", "treatment": "enrich", "circuit": ["latent[0]"], "outcome": outcome,
             "expect": {"mediated_share": {"at_most": 0.5}}}
            for outcome in ("answer", "both", "image")
        ],
        estimation={"bootstrap": 200, "gcm": False},
    )  # fmt: skip
    done = CliRunner().invoke(app, ["run", str(path), "--allow-code"])
    assert done.exit_code == 0, done.output
    (written,) = tmp_path.rglob("results.json")
    results = json.loads(written.read_text())
    found = {
        (e["estimand"], e["outcome"]): e
        for e in results["estimates"]
        if e["owner"]["name"] == "via" and e["estimator"] == "exact"
    }
    together = 3.2 / (3.2**2 + 0.4**2)
    for outcome, share in (("answer", 1 / 3.2), ("both", together), ("all columns", together)):
        assert found["mediated_share", outcome]["value"] == pytest.approx(share, abs=1e-4)
        assert found["interaction", outcome]["value"] == pytest.approx(0, abs=1e-4)
    # A contrast that is declared has a sign; what changes the pair of columns has a size.
    assert found["total_effect", "answer"]["value"] > 0.1 and found["total_effect", "answer"]["p_value"] < 1e-6
    assert found["total_effect", "both"]["p_value"] is None
    assert found["total_effect", "both"]["value"] == pytest.approx(
        found["total_effect", "all columns"]["value"], abs=1e-5
    )
    statuses = {verdict["hypothesis"]: verdict["status"] for verdict in results["verdicts"]}
    assert statuses == dict.fromkeys(("carried-answer", "carried-both", "carried-image"), "supported")
    assert results["graph"]["vectors"] == {"both": ["answer", "where"]}
    assert "both (answer, where)" in done.output
    page = (written.parent / "report.html").read_text()
    assert "on both (answer, where)" in page and "Vector outcome" in page
    assert max(len(line.rstrip()) for line in done.output.splitlines() if "report." not in line) <= 80
