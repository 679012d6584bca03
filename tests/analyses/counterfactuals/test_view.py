"""How counterfactuals are shown: words for every status, and no markup from names."""

# ruff: noqa: RUF001  labels are written with primes and dashes

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest

from causalvae.analyses.counterfactuals.types import (
    Commutativity,
    Counterfactuals,
    Distance,
    Distances,
    Example,
    FactorSoundness,
    Repetition,
    Status,
    Untested,
    Why,
)
from causalvae.analyses.counterfactuals.view import view_counterfactuals
from causalvae.report.blocks import Folded, Strips
from causalvae.report.document import build_document
from causalvae.report.html_report import render_html
from causalvae.report.json_report import from_json_dict, to_json_dict
from causalvae.report.markdown_report import render_markdown
from causalvae.report.tables import Table
from tests.report.synthetic_results import BREAKOUT, HOSTILE, build_results, png

PNG = png(0, 8)
BAD = HOSTILE + BREAKOUT


def distance(attribute: str, value: float) -> Distance:
    return Distance(attribute, value, 0.9 * value, 1.1 * value, 256)


def distances(attribute: str, value: float) -> Distances:
    return Distances((distance(attribute, value),), 0.05)


def soundness(factor: str, status: Status, own: float, other: float) -> FactorSoundness:
    back = tuple(Repetition(cycles, distances("area", 0.1), distances("area", 0.09)) for cycles in (1, 10))
    return FactorSoundness(factor, status, (distance("area", own),), (distance("hue", other),), 0.06, back, 200, 0.2)


def example(factor: str, images: bool, levels: tuple[str, ...] = ()) -> Example:
    points, cycles = ("input", "data", "output", "back", "back"), (0, 0, 0, 1, 10)
    attributes = tuple({"area": 1.0 + k, "hue": None} for k in range(5))
    return Example(factor, 0, 0.5, 1.0, levels, points, cycles, attributes, (PNG,) * 5 if images else ())


def found(*factors: FactorSoundness, images: bool = True, untested: tuple[Untested, ...] = ()) -> Counterfactuals:
    return Counterfactuals(
        factors,
        untested,
        (Repetition(1, distances("area", 0.05)), Repetition(10, distances("area", 0.3))),
        (Commutativity("scale", "x", distances("area", 0.02)),) if len(factors) > 1 else (),
        tuple(example(factor.factor, images) for factor in factors),
        0.25,
        0.95,
        0,
        64,
        "pixel RMS",
    )


SOUND, UNDECIDED = soundness("x", "sound", 0.1, 0.05), soundness("scale", "undecided", 0.24, 0.05)
UNSOUND = soundness("y", "unsound", 0.1, 0.71)


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ((SOUND,), "sound for the one tested factor; at worst, setting x leaves area 0.10 sd"),
        ((SOUND, SOUND), "sound for all 2 tested factors"),
        ((UNDECIDED, SOUND), "undecided for 1 of 2 tested factors; at worst, setting scale leaves area 0.24 sd"),
        ((UNDECIDED, UNSOUND, SOUND), "are unsound: setting y leaves hue 0.71 sd from the data's counterfactual"),
    ],
)
def test_the_answer_names_the_worst_factor(factors: tuple[FactorSoundness, ...], words: str) -> None:
    view = view_counterfactuals(found(*factors))
    assert words in view.answer and "(at most 0.25" in view.answer
    assert view.mark == ("✗" if "unsound" in words else "?" if "undecided" in words else "✓")
    assert ("0.050 by the reconstruction alone" in view.answer) == ("area" in view.answer)
    (section,) = view.sections
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert [row[0] for row in table.rows] == [factor.factor for factor in factors]
    assert all(factor.status in row[1] for factor, row in zip(factors, table.rows, strict=True))
    # 0.985 ** 200 is 0.05.
    unseen = "up to 1.5 % of the inputs: with probability 0.05 none of these inputs is among 200 samples."
    assert any(unseen in note for note in table.notes) == (SOUND in factors)
    assert len([term for term in view.terms if term.title == "Commutativity"]) == (len(factors) > 1)


@pytest.mark.parametrize("why", ["unmapped", "no_attribute", "not_settable", "few_samples"])
def test_what_is_not_tested_is_said(why: Why) -> None:
    untested = (Untested("shape", why), Untested("turn", why))
    none = view_counterfactuals(found(untested=untested))
    assert "were not tested: shape, turn (" in none.answer and none.terminal == (none.answer,)
    assert none.mark == "?"
    some = view_counterfactuals(found(SOUND, untested=untested))
    assert any(isinstance(part, str) and part.startswith("Not tested: shape, turn (") for part in some.terminal)


def test_own_attributes_that_are_not_judged_are_named() -> None:
    view = view_counterfactuals(found(replace(UNDECIDED, unjudged=("hue", "turn")), SOUND))
    words = "Not judged, and scale therefore not called sound: hue, turn (defined on fewer than 24 samples)."
    assert words in view.terminal


def test_pictures_are_strips_and_other_samples_are_tables() -> None:
    (section,) = view_counterfactuals(found(SOUND)).sections
    (strips,) = (block for block in section.blocks if isinstance(block, Strips))
    assert strips.strips[0].label == "x: 0.500 → 1.00"
    assert [label for label, _ in strips.strips[0].frames] == ["x", "x′", "f(x, a)", "back", "back 10 ×"]
    (section,) = view_counterfactuals(found(SOUND, images=False)).sections
    table = next(
        block.table for block in section.blocks if isinstance(block, Folded) and "few samples" in block.summary
    )
    assert table.rows[0] == ("x: 0.500 → 1.00", "area", "1.00", "2.00", "3.00", "4.00", "5.00")
    assert table.rows[1][2:] == ("–",) * 5


def test_names_of_levels_stand_for_their_values() -> None:
    result = replace(found(SOUND), examples=(example("shape", True, ("heart", "square")),))
    (section,) = view_counterfactuals(result).sections
    (strips,) = (block for block in section.blocks if isinstance(block, Strips))
    assert strips.strips[0].label == "shape: heart → square"


def test_no_name_becomes_markup_and_json_is_read_back() -> None:
    result = replace(
        found(replace(soundness(BAD, "unsound", 0.1, 0.71), own=(distance(BAD, 0.1),)), SOUND),
        examples=(example(BAD, True, (BAD, BAD)), example(BAD, False)),
        untested=(Untested(BAD, "unmapped"),),
    )
    results = replace(build_results(), analyses={"counterfactuals": result})
    assert from_json_dict(to_json_dict(results)).analyses["counterfactuals"] == result
    document = build_document(results)
    html, markdown = render_html(document), render_markdown(document)
    assert "<script>alert" not in html and "<img src=x" not in html and html.count("&lt;script&gt;alert") >= 5
    assert "<script>" not in markdown and "<img" not in markdown
    assert [section.anchor for section in document.sections].count("counterfactuals") == 1


def test_every_status_has_words() -> None:
    for first, second in product(get_args(Status), repeat=2):
        view = view_counterfactuals(found(soundness("a", first, 0.3, 0.1), soundness("b", second, 0.2, 0.1)))
        assert view.answer.endswith(".") and view.terminal
