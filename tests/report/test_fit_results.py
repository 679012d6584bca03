"""results.json stays below its size whatever was run, says what it leaves out, and can be read and shown again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from causalvae.report import write_report
from causalvae.report.document import build_document
from causalvae.report.fit_results import fit_results
from causalvae.report.html_report import render_html
from causalvae.report.json_report import from_json_dict, load_results, render_json
from causalvae.report.markdown_report import render_markdown
from causalvae.results import Results


def test_results_that_fit_stay_as_they_are(plain: Results) -> None:
    assert fit_results(plain) is plain


@pytest.mark.parametrize("share", [0.9, 0.6, 0.3])
def test_the_largest_parts_are_shortened_first(plain: Results, share: float) -> None:
    whole = len(render_json(plain).encode())
    most = int(share * whole)
    found = fit_results(plain, most)
    # The warning comes on top.
    assert len(render_json(found).encode()) < most + 1000
    assert found.warnings[:-1] == plain.warnings
    assert "reports omit" in found.warnings[-1] and "effects.parquet" in found.warnings[-1]
    assert [verdict.hypothesis for verdict in found.verdicts] == [verdict.hypothesis for verdict in plain.verdicts]
    assert [e for e in plain.estimates if not e.component] == [e for e in found.estimates if not e.component]
    # What is left is still results: read back, and shown.
    assert from_json_dict(json.loads(render_json(found))).warnings == found.warnings
    document = build_document(found)
    assert "reports omit" in render_html(document) and "reports omit" in render_markdown(document)


def test_a_run_of_claims_and_effects_by_the_thousand_writes_small_files(plain: Results, tmp_path: Path) -> None:
    verdicts = tuple(
        replace(verdict, hypothesis=f"{verdict.hypothesis}-{number}")
        for number in range(500 // len(plain.verdicts))
        for verdict in plain.verdicts
    )
    estimates = tuple(
        replace(estimate, owner=replace(estimate.owner, name=f"{estimate.owner.name}-{number}"))
        for number in range(6_000 // len(plain.estimates))
        for estimate in plain.estimates
    )
    many = replace(plain, verdicts=verdicts, estimates=estimates)
    files = write_report(many, tmp_path, ("json",))
    assert 3_000_000 < files["json"].stat().st_size < 5_000_000
    read = load_results(tmp_path)
    assert len(read.verdicts) == len(verdicts)
    assert "estimates" in read.warnings[-1]
