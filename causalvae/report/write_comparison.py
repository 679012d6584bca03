"""Comparisons on disk: HTML, Markdown and JSON, each whole or not at all."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from causalvae.comparison.types import Comparison
from causalvae.files import json_text, make_folder, write_file
from causalvae.report.comparison_document import build_comparison
from causalvae.report.html_report import render_page
from causalvae.report.json_report import plain_values
from causalvae.report.markdown_report import render_page_markdown

COMPARISON_SCHEMA = "causalvae/comparison-v1"


def write_comparison(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Write ``comparison.html``, ``comparison.md`` and ``comparison.json`` into `folder`.

    Returns
    -------
    dict
        Format -> path.
    """
    make_folder(folder, below=folder)
    page = build_comparison(comparison)
    texts = {
        "html": ("comparison.html", render_page(page)),
        "markdown": ("comparison.md", render_page_markdown(page)),
        "json": ("comparison.json", _json(comparison)),
    }
    for name, text in texts.values():
        write_file(folder / name, text)
    return {kind: folder / name for kind, (name, _) in texts.items()}


def _json(comparison: Comparison) -> str:
    content = {
        "schema": COMPARISON_SCHEMA,
        "name": comparison.name,
        "description": comparison.description,
        "digest": comparison.digest,
        "warnings": comparison.warnings,
        "correlations": [asdict(found) for found in comparison.correlations],
        "too few to correlate": comparison.too_few,
        "sides": [
            {
                "name": side.name,
                "description": side.description,
                "report": side.report,
                "spec digest": side.results.manifest.get("spec digest"),
                "measures": [
                    {
                        "name": m.name,
                        "value": m.value,
                        "unit": m.unit,
                        "lower": m.lower,
                        "upper": m.upper,
                        "n": m.n,
                    }
                    for m in side.measures
                ],
                "results": side.results.to_dict(),
            }
            for side in comparison.sides
        ],
    }
    return json_text(plain_values(content), indent=1, ensure_ascii=False, allow_nan=False)
