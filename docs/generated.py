"""Writes every file of the repository that is made by code: schemas, parts of pages, graphs of the shipped networks.

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
    write_graphs()


def write_graphs() -> None:
    """Trace the shipped networks again."""
    from causalvae.models.stored_graphs import FOLDER

    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, text in shipped_graphs().items():
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def shipped_graphs() -> dict[str, str]:
    """The graphs of the shipped networks, as `causalvae.models.stored_graphs` reads them, by their names."""
    from causalvae.models.capture import trace
    from causalvae.models.kinds.zoo import ZooModel
    from causalvae.models.loading import load_model
    from causalvae.models.probe_inputs import probe_arguments
    from causalvae.models.stored_graphs import graph_key, stored_text
    from causalvae.models.structure import structure_of
    from causalvae.spec.places import BUILTIN, builtin_names

    found: dict[str, str] = {}
    for name in builtin_names():
        model = load_model(ZooModel(source="zoo", weights=f"{BUILTIN}{name}"), SPECS)
        example, _ = probe_arguments(model.vae, model.probes)
        key = graph_key(structure_of(model.network, example), model.network.outputs)
        if key in found:
            continue
        text = stored_text(trace(model.network, example, model.network.outputs))
        if key is None or text is None:
            raise ValueError(f"the graph of {name} cannot be stored")
        found[key] = text
    return found


if __name__ == "__main__":
    main()
