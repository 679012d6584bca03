"""A mediation along a path, from the spec to the report, and what the terminal and the report say of it."""

from __future__ import annotations

import html
import json
from typing import Any

import numpy as np
import pytest

import causalvae
from causalvae.cli.results_view import key_effects
from causalvae.effects.types import Estimate
from causalvae.interventions.mediation.path_terms import PATH_TERMS
from causalvae.plan.owner import Owner
from causalvae.report.glossary import term_of
from causalvae.results import Results
from tests.effects.tiny_networks import write_tiny

PATH = "encoder.head[1] → latent[1]"


def interventions() -> list[dict[str, Any]]:
    def via(name: str, **how: Any) -> dict[str, Any]:
        return {"name": name, "mediation": {"treatment": "raise", "outcomes": ["answer"], **how}}

    return [
        {"name": "raise", "input": {"factor": "dose"}},
        via("path", path=["encoder.head[1]", "latent[1]"]),
        via("plain", mediators=["latent[1]"]),
        via("cut", path=["encoder.head", "latent"]),
        via("aside", edges=["input -> encoder.head[2]", "encoder.head[2] -> latent[2]", "latent[2] -> output"]),
    ]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> causalvae.RunOutcome:
    folder = tmp_path_factory.mktemp("paths")
    estimation = {"bootstrap": 100, "refute": ["placebo"], "simulations": 10, "gcm": False, "observational": True}
    spec = write_tiny(
        folder, "interacting", [], samples=48, interventions=interventions(), estimation=estimation,
        report={"formats": ["html", "markdown", "json"]},
    )  # fmt: skip
    with causalvae.allow_code(True):
        return causalvae.run(spec, folder / "runs")


def exact(results: Results, owner: str) -> dict[str, Estimate]:
    return {
        e.estimand: e
        for e in results.estimates
        if e.owner == Owner.intervention(owner) and e.estimator == "exact" and e.outcome == "answer"
    }


def test_a_path_gives_its_own_effects_with_the_arithmetic_of_four_arms(outcome: causalvae.RunOutcome) -> None:
    """One entry of the head is one latent, so that this path is the plain mediation under other names."""
    path, plain = exact(outcome.results, "path"), exact(outcome.results, "plain")
    assert {PATH_TERMS.get(name, name) for name in plain} == set(path)
    assert not set(path) & set(PATH_TERMS)
    for name, estimate in plain.items():
        other = path[PATH_TERMS.get(name, name)]
        assert (other.value, other.lower, other.upper) == (estimate.value, estimate.lower, estimate.upper)
        assert other.direction == estimate.direction
    total, sent = path["total_effect"].value, path["path_specific_effect"]
    assert sent.value != 0
    assert (sent.component.label, sent.granularity, sent.source, sent.direction) == (
        PATH,
        "path",
        "relayed",
        "denoising",
    )
    assert total == pytest.approx(sent.value + path["effect_around_path"].value + path["interaction"].value)
    assert path["total_path_specific_effect"].value == pytest.approx(total - path["effect_around_path"].value)
    np.testing.assert_allclose(path["interaction"].value, path["total_path_specific_effect"].value - sent.value)


def test_what_cuts_the_network_carries_all_and_what_is_not_moved_nothing(outcome: causalvae.RunOutcome) -> None:
    cut, aside = exact(outcome.results, "cut"), exact(outcome.results, "aside")
    assert cut["path_specific_effect"].value == cut["total_effect"].value
    assert cut["path_share"].value == cut["path_necessity"].value == 1.0
    assert cut["effect_around_path"].value == 0.0
    # The third latent is no part of this answer.
    assert aside["path_specific_effect"].value == 0.0
    assert aside["path_specific_effect"].component.label == "encoder.head[2] → latent[2]"


def test_every_other_way_agrees_or_says_why_it_cannot(outcome: causalvae.RunOutcome) -> None:
    checks = [check for check in outcome.results.cross_checks if check.owner == Owner.intervention("path")]
    assert {"path_specific_effect", "effect_around_path", "total_path_specific_effect"} <= {c.estimand for c in checks}
    assert not {c.estimand for c in checks} & set(PATH_TERMS)
    confirming = [check for check in checks if check.method != "observational"]
    assert confirming
    assert all(check.agrees for check in confirming)
    refused = [check for check in checks if check.method == "observational"]
    assert refused
    assert all("along a path alone" in check.refusal for check in refused)
    tried = [item for item in outcome.results.refutations if item.owner == Owner.intervention("path")]
    assert {item.estimand for item in tried} == {"path_specific_effect"}


def test_terminal_and_reports_show_the_path(outcome: causalvae.RunOutcome) -> None:
    tables = key_effects(outcome.results)
    (table,) = [table for table in tables if table.caption.startswith("path:")]
    assert table.caption == f"path: effects of raise through {PATH}"
    answers = [row[1] for row in table.rows if row[0] == "answer"]
    assert answers == [
        "total effect", "effect around the path", "path-specific effect", "interaction", "share of the path",
    ]  # fmt: skip
    page = outcome.reports["html"].read_text(encoding="utf-8")
    assert f"through {PATH}" in page
    assert html.escape(term_of("path_specific_effect").meaning) in page
    assert PATH in outcome.reports["markdown"].read_text(encoding="utf-8")
    told = json.loads(outcome.reports["json"].read_text(encoding="utf-8"))
    assert any(e["estimand"] == "path_specific_effect" for e in told["estimates"])


def test_every_term_is_explained() -> None:
    for name in PATH_TERMS.values():
        term = term_of(name)
        assert term.formula
        assert term.meaning
