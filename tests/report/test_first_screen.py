"""The first screen: what was asked, found and how certain it is; every number on it can turn red."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from causalvae.alignment.types import GraphCount, LinkCount
from causalvae.circuits.types import Failing
from causalvae.effects.types import CrossCheck, Estimate, Role, UnitRole
from causalvae.plan.owner import Owner
from causalvae.report.analysis_view import AnalysisView
from causalvae.report.blocks import AnswerLine
from causalvae.report.document import build_document
from causalvae.report.first_screen import first_screen
from causalvae.results import Results, SampleFacts, SampleUse
from tests.targets import target


def screen(results: Results, *views: AnalysisView) -> dict[str, AnswerLine]:
    """Lines by their first words."""
    answer = first_screen(results, views)
    return {line.text: line for line in (*answer.found, *answer.certain)}


def line_with(results: Results, words: str) -> AnswerLine:
    found = [line for text, line in screen(results).items() if words in text]
    assert len(found) == 1, (words, list(screen(results)))
    return found[0]


@pytest.fixture
def right(plain: Results) -> Results:
    """Results in which nothing is wrong."""
    assert plain.alignment is not None
    head = plain.alignment.headline
    kept = replace(
        head, graph=GraphCount(44, 0, 0, 0), lost=LinkCount(0, 4, 0), invented=LinkCount(0, 20, 0),
        missing=LinkCount(0, 4, 0), spurious=LinkCount(0, 12, 0),
        mapped=("scale",), unmapped=(),
    )  # fmt: skip
    pairs = tuple(pair for pair in plain.alignment.pairs if pair.status in ("supported", "absent"))
    alignment = replace(plain.alignment, headline=kept, pairs=pairs)
    controls = tuple(replace(control, passed=True) for control in plain.controls)
    readouts = tuple(replace(readout, passed=True) for readout in plain.readouts)
    refutations = tuple(replace(refutation, passed=True) for refutation in plain.refutations)
    verdict = plain.verdicts[0]
    return replace(
        plain, alignment=alignment, controls=controls, readouts=readouts, refutations=refutations, verdicts=(verdict,)
    )


def test_nothing_is_red_where_nothing_is_wrong(right: Results) -> None:
    marks = [line.mark for line in screen(right).values()]
    assert marks == ["✓"] * 4 + ["•"] + ["✓"] * 3


def test_a_claim_stands_in_the_users_words_with_its_numbers(right: Results) -> None:
    claim = line_with(right, "Size reaches the output's area through the latent mapped to scale, and touches little")
    assert claim.status == "supported"
    assert claim.anchor == "claim-1"
    assert claim.details[0].startswith("The circuit carries 92% of the effect (95% interval 90 to 94%)")
    assert claim.details[1] == "resize moves area by 132 pixels (mean of 512 pairs); circuit: latent[3]."
    assert claim.drawing is not None
    failing = Failing(0.7, 0.65, 30.0, 6, 512, 0.02, 0.95, "pixels")
    pairwise = replace(right, verdicts=(replace(right.verdicts[0], failing=failing),))
    assert (
        line_with(pairwise, "Size reaches")
        .details[1]
        .startswith("resize moves area by 120 pixels (root mean square of 512 pairs)")
    )


@pytest.mark.parametrize(("status", "mark"), [("refuted", "✗"), ("unspecific", "?"), ("inconclusive", "?")])
def test_a_claim_that_fails_is_no_longer_green(right: Results, status: Any, mark: str) -> None:
    failed = replace(right, verdicts=(replace(right.verdicts[0], status=status),))
    assert line_with(failed, "Size reaches").mark == mark
    assert line_with(failed, "Size reaches").status == status


@pytest.mark.parametrize(
    ("part", "planted", "words"),
    [
        ("lost", LinkCount(1, 4, 0), "Network: loses 1 of 4"),
        ("invented", LinkCount(2, 20, 0), "invents 2 of 20"),
        ("missing", LinkCount(1, 4, 0), "the mapping is wrong; 1 relation missing"),
        ("spurious", LinkCount(3, 12, 0), "3 spurious"),
    ],
)
def test_every_count_of_the_alignment_can_turn_red(right: Results, part: str, planted: LinkCount, words: str) -> None:
    assert right.alignment is not None
    head = replace(right.alignment.headline, **{part: planted})  # type: ignore[arg-type]
    assert line_with(replace(right, alignment=replace(right.alignment, headline=head)), words).mark == "✗"


def test_a_network_whose_effects_are_right_and_values_wrong_is_not_green(right: Results) -> None:
    assert right.alignment is not None
    head = right.alignment.headline
    assert head.worst_reconstruction is not None
    for error, mark, words in ((0.24, "✓", "invents 0 of 20 (worst"), (2.0, "?", ", but does not reproduce ")):
        far = replace(head, worst_reconstruction=replace(head.worst_reconstruction, error=error))
        line = line_with(replace(right, alignment=replace(right.alignment, headline=far)), "Network: ")
        assert line.mark == mark
        assert words in line.text


def test_a_share_is_never_shown_outside_its_interval(right: Results) -> None:
    (verdict,) = right.verdicts
    for value, lower, upper, words in (
        (0.996, 0.9951, 0.9968, "carries 99.6% of the effect (95% interval 99.5 to 99.7%)"),
        (1.0, 0.9992, 1.0003, "carries 100% of the effect (95% interval 99.9 to 100.0%)"),
        (0.92, 0.9, 0.94, "carries 92% of the effect (95% interval 90 to 94%)"),
    ):
        test = replace(verdict.tests[0], value=value, lower=lower, upper=upper)
        shown = replace(right, verdicts=(replace(verdict, tests=(test, *verdict.tests[1:])),))
        assert words in next(iter(screen(shown).values())).details[0]


def test_a_wrong_edge_a_poor_interchange_and_an_undecided_pair_show(right: Results, plain: Results) -> None:
    assert right.alignment is not None
    assert plain.alignment is not None
    wrong = replace(right.alignment, pairs=plain.alignment.pairs)
    assert line_with(replace(right, alignment=wrong), "Graph: disagrees with the data").mark == "✗"
    low = replace(
        right.alignment.interchanges[0], accuracy=replace(plain.alignment.interchanges[0].accuracy, upper=0.7)
    )
    poor = replace(right.alignment, interchanges=(low,))
    assert line_with(replace(right, alignment=poor), "interchange accuracy too low for scale").mark == "✗"
    assert (
        "scale: this mapping works: latent[3], latent[7]"
        in line_with(replace(right, alignment=poor), "Mapping").details[0]
    )
    open_head = replace(right.alignment.headline, graph=GraphCount(43, 0, 1, 0))
    undecided = replace(right.alignment, headline=open_head)
    assert line_with(replace(right, alignment=undecided), "1 undecided").mark == "?"


def test_a_failed_control_readout_refuter_or_second_computation_shows(right: Results, plain: Results) -> None:
    assert line_with(replace(right, controls=plain.controls), "1 of 4 controls failed: shuffled labels.").mark == "✗"
    assert line_with(replace(right, readouts=plain.readouts), "1 of 3 readouts failed: is_heart.").mark == "✗"
    assert line_with(replace(right, refutations=plain.refutations), "1 of 3 independent computations").mark == "✗"
    check = CrossCheck(
        "dowhy", Owner.intervention("via"), "area", "pixels", target("latent[3]"), "natural_direct_effect", 1.0, 2.0,
        tolerance=0.1, agrees=False,
    )  # fmt: skip
    failed = line_with(replace(right, cross_checks=(check,)), "1 of 4 independent computations")
    assert failed.mark == "✗"
    assert "direct effect by dowhy" in failed.text
    assert line_with(replace(right, controls=()), "No controls were run").mark == "?"


def test_fewer_pairs_than_asked_for_show(right: Results) -> None:
    short = SampleFacts((SampleUse("resize", 512, 100, True), SampleUse("move", 512, 512, True)))
    line = line_with(replace(right, samples=short), "fewer samples than the spec asks for: resize (100 of 512).")
    assert line.mark == "?"
    assert line.text.startswith("512 pairs for each claim, error level 0.05")


def test_a_run_without_hypotheses_answers_with_what_it_found(plain: Results) -> None:
    def unit(component: str, role: Role, on: str = "x") -> UnitRole:
        return UnitRole(
            Owner.intervention("sweep"), "", "quantile", "", target(component), "unit", role, 1.0, 0.9, 1.1, 0.95, 1.0,
            on, 0.0, "factors", 3, 100, 3.2, 0.3,
        )  # fmt: skip

    def effect(component: str, outcome: str, value: float, lower: float) -> Estimate:
        return Estimate(
            "effect_size", value, "sd", 100, outcome, lower, value + 0.1, 0.95, component=target(component),
            owner=Owner.intervention("sweep"),
        )  # fmt: skip

    share = Estimate(
        "mediated_share", 0.999, "share", 100, "y", 0.997, 1.0, 0.95, treatment="move_y", component=target("latent[5]"),
        owner=Owner.intervention("via"),
    )  # fmt: skip
    effects = (effect("latent[6]", "shape", 0.8, 0.7), effect("latent[6]", "orientation", 0.5, 0.4))
    effects += (effect("latent[6]", "area", 0.12, 0.05), effect("latent[5]", "y", 1.4, 1.3))
    units = tuple(unit(f"latent[{k}]", "inert") for k in (0, 1, 2, 3, 4, 7))
    units += (unit("latent[5]", "monosemantic", "y"), unit("latent[6]", "polysemantic"))
    explored = replace(
        plain, verdicts=(), estimates=(share, *effects), units=units, alignment=None, samples=SampleFacts()
    )
    assert [line.text for line in first_screen(explored, ()).found] == [
        "latent[5] carries 99.9 [99.7, 100.0] % of the effect of move_y on y.",
        "latent[5] moves y alone.",
        "latent[6] moves shape (0.80 sd) and orientation (0.50 sd).",
        "6 of 8 units have no effect.",
    ]
    # The same run with the carrier's effect gone no longer says that it carries.
    gone = replace(explored, estimates=(replace(share, value=0.01, lower=0.0, upper=0.02), *effects))
    assert "carries" not in " ".join(line.text for line in first_screen(gone, ()).found)


def test_links_of_the_first_screen_lead_somewhere(plain: Results) -> None:
    bare = replace(plain, refutations=(), readouts=(), controls=(), estimates=())
    document = build_document(bare)
    there = {section.anchor for section in document.sections} | {card.anchor for card in document.cards}
    lines = (*document.answer.found, *document.answer.certain)
    assert {line.anchor for line in lines if line.anchor} <= there | {"verdicts"}
