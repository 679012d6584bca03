"""Writes every file of the repository that is made from the registries of kinds: schemas, and parts of pages.

    python docs/generated.py

Tests compare them.
"""

from __future__ import annotations

import sys
from pathlib import Path

SPECS = Path(__file__).parents[1] / "specs"


def main() -> None:
    """Write all of them."""
    # Of the package in this repository, not of one that is installed.
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

    import registry_tables

    from causalvae.report.results_schema import results_schema_text
    from causalvae.spec.jsonschema import json_schema_text

    (SPECS / "causalvae.schema.json").write_text(json_schema_text(), encoding="utf-8")
    (SPECS / "results.schema.json").write_text(results_schema_text(), encoding="utf-8")
    registry_tables.main()


if __name__ == "__main__":
    main()
