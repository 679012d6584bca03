"""How found circuits are shown, in every format."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from rich.console import Console
from ruamel.yaml import YAML

from causalvae.analyses.discoveries import Discoveries
from causalvae.analyses.discoveries.drawing import draw_circuit, draw_curve
from causalvae.analyses.discoveries.findings import Discovered, Discovery
from causalvae.analyses.discoveries.view import view_discoveries
from causalvae.analyses.discoveries.words import alike_words, headline, motif_words
from causalvae.cli.results_view import print_view
from causalvae.report.blocks import Figure, FigureRow, Folded, Heading, Prose
from causalvae.report.tables import Table
from tests.analyses.discoveries.test_compiled import find


@pytest.fixture
def found() -> Discovery:
    return find("or")[0]


def test_the_headline_names_the_circuit_and_its_share_on_other_pairs(found: Discovery) -> None:
    assert re.fullmatch(
        r"1 latent of 8 \(latent\[[01]\]\) carries 0\.9[78]\d* \[0\.9\d+, 0\.9\d+\] of the effect of rise on y\.",
        headline(found),
    )
    assert alike_words(found) == (
        "On the pairs of the search, 2 equivalent circuits of 1 (every set of up to 3 was tried)."
    )


def test_a_circuit_that_fails_on_other_pairs_turns_the_answer_red(found: Discovery) -> None:
    verdict = found.verdict
    assert verdict is not None

    def mark(*circuits: Discovery) -> str:
        return view_discoveries(Discovered(circuits)).mark

    held = replace(found, verdict=replace(verdict, status="supported"))
    assert mark(held) == "✓"
    assert mark(held, replace(found, verdict=replace(verdict, status="refuted"))) == "✗"
    assert mark(held, replace(found, verdict=replace(verdict, status="unspecific"))) == "?"
    assert mark(held, replace(found, verdict=None)) == "?"


def test_motifs_are_told_with_their_members(found: Discovery) -> None:
    told = [motif_words(found, motif) for motif in found.motifs.found]
    assert told[0].startswith(
        "redundant pair: latent[0] or latent[1], each alone is enough (interaction \N{MINUS SIGN}0.97"
    )
    assert told[1].startswith("convergence: latent[0], latent[1] → y (weakest edge 0.97")


def test_drawings_are_sound_and_mark_the_members(found: Discovery) -> None:
    named = replace(found, outcome="<b>&", treatment="<i>")
    for drawn in (draw_circuit(named), draw_curve(named)):
        ElementTree.fromstring(str(drawn))
    circuit = str(draw_circuit(named))
    # Of eight latents one is a member, and each of the two that are alike sends its change to the outcome.
    assert circuit.count("<rect") == 8
    assert circuit.count("is-member") == 1
    assert circuit.count('class="sent"') == 2
    assert "<b>" not in circuit
    curve = str(draw_curve(found))
    assert curve.count("<circle") == len(found.curve.points)


def test_the_report_has_drawings_tables_and_terms(found: Discovery) -> None:
    view = view_discoveries(Discovered((found,)))
    (section,) = view.sections
    kinds = {type(block) for block in section.blocks}
    assert kinds == {Heading, Figure, FigureRow, Prose, Table, Folded}
    assert view.answer == headline(found)
    (written,) = [block.text for block in section.blocks if isinstance(block, Prose) and "- {" in block.text]
    (entry,) = YAML(typ="safe", pure=True).load(written[written.index("- {") :])
    assert entry["outcome"] == "y"
    titles = {term.short: term.title for term in view.terms}
    assert set(titles) >= {"f", "D", "CMD", "CPR", "NDF"}
    assert titles["NDF"] == "Normalised deviation faithfulness"  # Wu and Barez 2025


def test_the_terminal_keeps_to_80_columns_and_its_hypothesis_can_be_pasted(found: Discovery) -> None:
    console = Console(width=80, record=True, force_terminal=False, file=None, quiet=False)
    with console.capture() as captured:
        print_view(console, view_discoveries(Discovered((found,))))
    text = captured.get()
    assert max(map(len, text.splitlines())) <= 80
    pasted = text[text.index("- name:") :]
    (entry,) = YAML(typ="safe", pure=True).load(re.sub(r"(?m)^  ", "", f"  {pasted}"))
    assert entry["treatment"] == "rise"
    assert entry["circuit"] in (["latent[0]"], ["latent[1]"])
    assert entry["expect"] == {"mediated_share": {"at_least": 0.8}}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ("treatment: rise", "CV061", "no input intervention"),
        ("outcome: y", "CV070", "no attribute"),
        ("candidates: latents", "CV023", "latents"),
        ("target: 0.8", "CV024", "1"),
    ],
)
def test_faults_of_the_section(change: str, code: str, said: str) -> None:
    from causalvae.spec.loader import parse_spec
    from tests.analyses.discoveries.test_compiled import TEXT

    text = TEXT % ("or", 0, "uniform(0, 1)", 0, 0.8, "latents")
    key = change.split(":")[0]
    wrong = {"treatment": "fall", "outcome": "z", "candidates": "layers", "target": "1.5"}[key]
    place = text.index("circuits: [")
    spec, diagnostics = parse_spec(text[:place] + text[place:].replace(change, f"{key}: {wrong}", 1))
    assert spec is None
    assert [diagnostic.code for diagnostic in diagnostics] == [code]
    assert said in f"{diagnostics[0].message} {diagnostics[0].expected}"
    assert diagnostics[0].line == 1 + text[:place].count("\n")


def test_a_name_given_twice_is_refused() -> None:
    from causalvae.spec.loader import parse_spec
    from tests.analyses.discoveries.test_compiled import TEXT

    text = TEXT % ("or", 0, "uniform(0, 1)", 0, 0.8, "latents")
    entry = text[text.index("circuits: [") + len("circuits: [") : text.rindex("]")]
    spec, diagnostics = parse_spec(text.replace(entry, f"{entry}, {entry}"))
    assert spec is None
    assert [diagnostic.code for diagnostic in diagnostics] == ["CV060"]
    assert Discoveries.kind == "discoveries"
