"""Runs the specs of docs/gallery.md and puts their reports into build/gallery, from which `make docs` takes them.

    python docs/gallery.py [NAME ...]

A report that is there is not made again; delete build/gallery after a change.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import causalvae

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "gallery"


def listed() -> dict[str, Path]:
    """The reports that the page lists: name -> spec."""
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    found = re.findall(r"\]\(\.\./(\S+\.yaml)\).*?<!-- report: (\S+) -->", page, flags=re.DOTALL)
    return {name: ROOT / spec for spec, name in found}


def main(names: list[str]) -> None:
    """Make the reports that are missing."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name, spec in listed().items():
        report = OUT / f"{name}.html"
        if report.is_file() or (names and name not in names):
            continue
        with causalvae.allow_code():
            outcome = causalvae.run(spec, OUT / "runs")
        shutil.copyfile(outcome.reports["html"], report)


if __name__ == "__main__":
    main(sys.argv[1:])
