"""Learned subspaces in reports and in a terminal."""

from __future__ import annotations

from dataclasses import replace

from causalvae.cli.results_view import print_subspaces
from causalvae.effects.notes import Note
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.plan.targets import SubspacePart
from causalvae.report.document import build_document
from causalvae.report.effect_tables import other_estimates
from causalvae.report.numbers import ABSENT
from causalvae.report.subspace_tables import TERMS, learning_table, learning_words, parts_table, subspace_owners
from tests.report.synthetic_results import build_results, remark
from tests.targets import target

OWNER = Owner.intervention("size")
WHOLE = target("latent")
PARTS = (
    SubspacePart(WHOLE, "learned", 1),
    SubspacePart(WHOLE, "all", 10),
    SubspacePart(WHOLE, "other", 9),
    SubspacePart(WHOLE, "random", 1),
)


def estimate(estimand: str, part: SubspacePart, value: float, outcome: str = "area", **fields: object) -> Estimate:
    given = {
        "estimand": estimand, "value": value, "unit": "share", "n": 128, "outcome": outcome, "treatment": "resize",
        "component": part, "granularity": "subspace", "owner": OWNER, **fields,
    }  # fmt: skip
    return Estimate(**given)  # type: ignore[arg-type]


ESTIMATES = (
    *(estimate("natural_indirect_effect", part, 50.0, unit="pixels") for part in PARTS),
    *(
        estimate("mediated_share", part, share, lower=share - 0.05, upper=share + 0.05)
        for part, share in zip(PARTS, (0.8, 1.0, 0.2, 0.1), strict=True)
    ),
    *(estimate("necessity", part, 0.7) for part in PARTS),
    *(
        estimate("interchange_accuracy", part, share, lower=0.0, upper=1.0, notes=(Note("within", (0.1,)),))
        for part, share in zip((PARTS[0], PARTS[1], PARTS[3]), (0.9, 0.5, 0.25), strict=True)
    ),
    estimate(
        "learning_loss",
        PARTS[0],
        0.05,
        "image",
        n=256,
        notes=remark("from random directions 1, where it was 0.9"),
    ),
    estimate("held_out_loss", PARTS[0], 0.07, "image", lower=0.06, upper=0.08),
    estimate("held_out_loss", PARTS[1], 3.5, "image"),
    estimate("held_out_loss", PARTS[3], 1.25, "image"),
    estimate(
        "null_space_share",
        PARTS[0],
        0.4,
        "image",
        n=256,
        notes=remark("exact, from the weights of decoder.lin1"),
    ),
)


def test_each_part_is_a_row_with_what_it_carries() -> None:
    assert subspace_owners(ESTIMATES) == [OWNER]
    table = parts_table(ESTIMATES, OWNER)
    assert table.caption == "size: what directions of latent carry of resize"
    assert [column.name for column in table.columns][2:] == ["Mediated share", "Necessity", "Right interchanges"]
    assert [row[0] for row in table.rows] == [
        "1 learned direction",
        "all",
        "the other 9 directions",
        "1 random direction",
    ]
    assert table.rows[0][2].startswith("0.80 [0.75") and table.rows[0][4].startswith("0.9")
    # Nothing is interchanged through the other directions.
    assert table.rows[2][4] == ABSENT
    assert table.notes == ("right interchanges: within 0.1 sd of Y(x')",)
    assert len(parts_table(ESTIMATES, OWNER, with_necessity=False).columns) == 4


def test_how_directions_were_learned_is_told_in_a_table_and_in_words() -> None:
    table = learning_table(ESTIMATES, OWNER)
    assert [row[0] for row in table.rows] == [
        "unexplained, learned on", "unexplained, fresh pairs", "unexplained, fresh pairs", "unexplained, fresh pairs",
        "null-space share",
    ]  # fmt: skip
    assert table.rows[-1][-1] == "exact, from the weights of decoder.lin1"
    words = learning_words(ESTIMATES, OWNER)
    assert "by the image on 256 pairs" in words and "all 3.5" in words and "nothing downstream reads: 0.40" in words
    assert learning_words(ESTIMATES, Owner.intervention("other")) == ""


def test_a_report_has_the_tables_once_and_explains_their_terms() -> None:
    results = replace(build_results(), estimates=(*build_results().estimates, *ESTIMATES))
    document = build_document(results)
    captions = [getattr(block, "caption", "") for section in document.sections for block in section.blocks]
    assert captions.count("size: what directions of latent carry of resize") == 1
    assert captions.count("size: how directions were learned, by the image") == 1
    titles = {term.title for term in document.glossary}
    assert {term.title for term in TERMS.values()} <= titles
    shown = {cell for row in other_estimates(results.estimates).rows for cell in row}
    assert not any(part in shown for part in PARTS)


def test_the_terminal_shows_them_in_80_columns() -> None:
    from rich.console import Console

    console = Console(width=80, record=True, force_terminal=False)
    results = replace(build_results(), estimates=ESTIMATES)
    with console.capture() as captured:
        print_subspaces(console, results)
    text = captured.get()
    assert max(map(len, text.splitlines())) <= 80
    assert "the other 9 directions" in text and "0.80 [0.75" in text and "…" not in text
