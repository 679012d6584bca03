"""The first screen of a study and of a comparison: which network is better at what, and whether that is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from causalvae.circuits.types import Status, Verdict
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.report.blocks import AnswerLine
from causalvae.results import ControlCheck, GraphSummary, Results
from causalvae.spec.measures import MeasureName
from causalvae.study.answer import study_answer
from causalvae.study.page import build_study
from causalvae.study.summary import summarise_comparison, summarise_study
from causalvae.study.types import Measure, StudyResults, StudyRun
from tests.study.test_summary import STUDY
from tests.targets import target


def study(vae: list[float], beta: list[float]) -> StudyResults:
    """Networks of two kinds on one data set with these scores."""
    runs = [
        StudyRun(f"one-{model}-{seed}", "one", (Measure(MeasureName.MIG, value),), model=model, seed=seed)
        for model, values in (("VAE", vae), ("beta", beta))
        for seed, value in enumerate(values)
    ]
    return summarise_study(STUDY, runs)


def lines(found: StudyResults) -> list[AnswerLine]:
    answer = study_answer(found)
    return [*answer.found, *answer.certain]


def test_the_better_objective_is_named_and_whether_that_is_shown() -> None:
    apart = lines(study([0.10, 0.11, 0.12], [0.30, 0.31, 0.32]))
    assert (
        apart[0].text
        == "Which is better at what on one: 1 of 1 measures show a difference between the best network and the next."
    )
    assert apart[0].details[0].startswith("MIG, largest is best: beta 0.31 [0.29, 0.33]; VAE 0.11 [0.09, 0.13] (shown")
    swapped = lines(study([0.30, 0.31, 0.32], [0.10, 0.11, 0.12]))
    assert swapped[0].details[0].startswith("MIG, largest is best: VAE 0.31")
    noisy = lines(study([0.10, 0.30, 0.20], [0.15, 0.35, 0.22]))
    assert noisy[0].text.startswith("Which is better at what on one: 0 of 1")
    assert "(not shown: intervals overlap)" in noisy[0].details[0]


def test_few_seeds_are_no_certainty() -> None:
    found = lines(study([0.1, 0.2, 0.3], [0.3, 0.4, 0.5]))
    seeds = next(line for line in found if "seeds for each" in line.text)
    assert seeds.mark == "?"
    many = lines(study([0.1, 0.2, 0.3, 0.2, 0.1], [0.3, 0.4, 0.5, 0.4, 0.3]))
    assert next(line for line in many if "5 seeds for each" in line.text).mark == "✓"


def side(status: Status, share: float, latent: int, passed: bool = True) -> Results:
    verdict = Verdict("one-latent", "Size runs through one latent.", "resize", (), "area", status, (), 0.01, 1.0, 0.05)
    parts = [
        Estimate(
            name, value, unit, 64, "area", value - 0.02, value + 0.02, 0.95, treatment="resize",
            component=target(f"latent[{latent}]"), owner=Owner.intervention("via"),
        )
        for name, value, unit in (("natural_indirect_effect", 9.0, "pixels"), ("mediated_share", share, "share"))
    ]  # fmt: skip
    control = ControlCheck("self-patch", "", 0.0, "= 0", passed)
    return Results(
        "run", "", "", "", (verdict,), tuple(parts), (), None, GraphSummary((), (), (), {}), (), (control,), (), (), {},
        {}, {}, {},
    )  # fmt: skip


def compare(**sides: Results) -> list[AnswerLine]:
    runs = [StudyRun(name, "", (), results=results) for name, results in sides.items()]
    return lines(summarise_comparison("two", "Which?", runs))


def test_a_claim_names_the_networks_that_it_holds_for() -> None:
    found = compare(good=side("supported", 0.99, 8), bad=side("refuted", 0.2, 4))
    assert found[0].text == "Size runs through one latent: supported on good; refuted on bad."
    assert found[0].mark == "•"
    assert found[1].text == (
        "resize reaches area on good through latent[8] (99 [97, 101] % of the effect); "
        "on bad through latent[4] (20.0 [18.0, 22.0] % of the effect)."
    )


@pytest.mark.parametrize(
    ("statuses", "mark"),
    [(("supported", "supported"), "✓"), (("refuted", "refuted"), "✗"), (("inconclusive", "inconclusive"), "?")],
)
def test_a_claim_that_holds_nowhere_is_red(statuses: tuple[Status, Status], mark: str) -> None:
    first, second = (side(status, 0.9, 1) for status in statuses)
    assert compare(a=first, b=second)[0].mark == mark


def test_a_failed_control_of_one_side_shows() -> None:
    found = compare(a=side("supported", 0.9, 1), b=side("supported", 0.9, 1, passed=False))
    told = {line.text: line.mark for line in found}
    assert told["a: 1 of 1 controls passed."] == "✓"
    assert told["b: 1 of 1 controls failed: self-patch."] == "✗"
    none = replace(side("supported", 0.9, 1), controls=())
    assert {line.text: line.mark for line in compare(a=none, b=none)}["a: No controls were run."] == "?"


def test_links_of_the_answer_lead_somewhere() -> None:
    sides = {"good": side("supported", 0.99, 8), "bad": side("refuted", 0.2, 4)}
    runs = [StudyRun(name, "", (), results=results) for name, results in sides.items()]
    for found in (summarise_comparison("two", "Which?", runs), study([0.1, 0.2, 0.3, 0.2], [0.3, 0.4, 0.5, 0.4])):
        page = build_study(found)
        anchors = {line.anchor for line in (*page.answer.found, *page.answer.certain)}
        assert anchors <= {section.anchor for section in page.sections} | {"reports", ""}
        assert len(anchors) >= 2
