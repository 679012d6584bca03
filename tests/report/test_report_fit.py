"""A page stays below its size whatever was run, and says what it leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from causalvae.report.blocks import Folded, HeatTable
from causalvae.report.document import build_document
from causalvae.report.fit import cut_rows, fit_sections
from causalvae.report.html_report import render_html
from causalvae.report.numbers import format_interval
from causalvae.report.tables import Table, columns
from causalvae.results import Results


@pytest.mark.parametrize("most", [600_000, 250_000, 150_000])
def test_a_page_leaves_out_its_largest_parts(plain: Results, most: int) -> None:
    document = build_document(plain)
    whole, cut = render_html(document), render_html(document, most)
    assert len(whole.encode()) > most
    # What is said of it may take a little more than was counted.
    assert len(cut.encode()) < most * 1.02
    assert "page would become too large" in cut or "the largest estimates" in cut
    assert whole.count('class="line-') == cut.count('class="line-'), "the answer stays whole"


def test_hundreds_of_claims_fit(plain: Results) -> None:
    many = replace(plain, verdicts=plain.verdicts * 200)
    page = render_html(build_document(many))
    assert len(page.encode()) < 2_000_000
    assert "788 further claims: 197 supported, 197 refuted, 197 unspecific, 197 inconclusive." in page


def test_the_rows_with_the_largest_estimates_stay_in_their_order() -> None:
    values = [0.1, -5.0, 0.2, 3.0, 0.05]
    rows = tuple((f"c{k}", format_interval(v, v - 1, v + 1)) for k, v in enumerate(values))
    table = Table("Effects", columns("Component", "Effect#"), rows)
    cut = cut_rows(Folded("all", table), 2)
    assert isinstance(cut, Folded)
    assert [row[0] for row in cut.table.rows] == ["c1", "c3"]
    assert cut.table.notes[-1].startswith("2 rows of 5")
    assert cut_rows(table, 5) is table


def test_a_map_shows_its_strongest_components(plain: Results) -> None:
    maps = [
        block
        for section in fit_sections(build_document(plain).sections)
        for block in section.blocks
        if isinstance(block, HeatTable)
    ]
    assert len(maps) == 3
    denoising = maps[0]
    assert len(denoising.table.rows) == len(denoising.panels) == len(denoising.shades) == 60
    assert {row[0] for row in denoising.table.rows[:2]} == {"latent[3]", "latent.mean[3]"}
    opened = [panel.title for panel in denoising.panels if panel is not None]
    assert len(opened) == 24
    assert opened[0] == denoising.table.rows[0][0]


def test_the_graph_loses_the_pairs_of_its_edges_before_its_tests() -> None:
    from markupsafe import Markup

    from causalvae.report.blocks import Answer, OpenedDrawing, Page, PairSet, PairView, Panel, Section
    from causalvae.report.html_report import render_page

    pairs = PairSet("", "Pairs", "", (PairView("Largest", "", "", Markup("<p>" + "x" * 100_000 + "</p>")),))
    table = Table("Tests of a", columns("Link"), (("network against data",),))
    drawn = OpenedDrawing(Markup("<p>graph</p>"), "The graph.", (), (Panel("edge-a", "a", "", "", (table, pairs)),))
    page = Page(
        "study", "s", "", Answer((), ()), (), (Section("graph", "Graph", "", (drawn,)),), "", "", (), (),
    )  # fmt: skip
    assert "xxxx" in render_page(page)
    cut = render_page(page, 100_000)
    assert "xxxx" not in cut
    assert "network against data" in cut
    assert "The pairs of the edges are omitted" in cut
