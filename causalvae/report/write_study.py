"""A study on disk: HTML, Markdown, JSON, and its networks as a table."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path

from causalvae.files import json_text, make_folder, write_file
from causalvae.report.html_report import render_page
from causalvae.report.json_report import plain_values
from causalvae.report.markdown_report import render_page_markdown
from causalvae.report.study_document import build_study
from causalvae.study.types import StudyResults

STUDY_SCHEMA = "causalvae/study-results-v1"


def write_study(results: StudyResults, folder: Path) -> dict[str, Path]:
    """Write ``study.html``, ``study.md``, ``study.json`` and ``study.csv`` into `folder`.

    Returns
    -------
    dict
        Format -> path.
    """
    make_folder(folder, below=folder)
    page = build_study(results)
    content = plain_values({"schema": STUDY_SCHEMA, **asdict(results)})
    texts = {
        "html": ("study.html", render_page(page)),
        "markdown": ("study.md", render_page_markdown(page)),
        "json": ("study.json", json_text(content, indent=1, ensure_ascii=False, allow_nan=False)),
        "csv": ("study.csv", _csv(results)),
    }
    for name, text in texts.values():
        write_file(folder / name, text)
    return {kind: folder / name for kind, (name, _) in texts.items()}


def _csv(results: StudyResults) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = results.measures
    writer.writerow(["data", "model", "seed", *names])
    for cell in results.cells:
        values = [cell.value(name) for name in names]
        texts = ["" if value is None else repr(float(value)) for value in values]
        writer.writerow([cell.data, cell.model, cell.seed, *texts])
    return buffer.getvalue()
