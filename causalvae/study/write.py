"""Writes a study or a comparison: HTML, Markdown, JSON, and CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path

from causalvae.files import json_text, make_folder, write_file
from causalvae.report.html_report import render_page
from causalvae.report.json_report import plain_values
from causalvae.report.markdown_report import render_page_markdown
from causalvae.study.page import build_study
from causalvae.study.types import StudyResults

STUDY_SCHEMA = "causalvae/study-results-v2"


def write_study(results: StudyResults, folder: Path) -> dict[str, Path]:
    """Write ``KIND.html``, ``KIND.md``, ``KIND.json`` and ``KIND.csv`` into `folder`, with KIND study or comparison.

    Returns
    -------
    dict
        Format -> path.
    """
    make_folder(folder, below=folder)
    page = build_study(results)
    content = plain_values({"schema": STUDY_SCHEMA, **asdict(results)})
    texts = {
        "html": (f"{results.kind}.html", render_page(page)),
        "markdown": (f"{results.kind}.md", render_page_markdown(page)),
        "json": (f"{results.kind}.json", json_text(content, indent=1, ensure_ascii=False, allow_nan=False)),
        "csv": (f"{results.kind}.csv", _csv(results)),
    }
    for name, text in texts.values():
        write_file(folder / name, text)
    return {kind: folder / name for kind, (name, _) in texts.items()}


def _csv(results: StudyResults) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = results.measures
    writer.writerow(["name", "data", "model", "seed", *names])
    for run in results.runs:
        values = [run.value(name) for name in names]
        texts = ["" if value is None else repr(float(value)) for value in values]
        writer.writerow([run.name, run.data, run.model, "" if run.seed is None else run.seed, *texts])
    return buffer.getvalue()
