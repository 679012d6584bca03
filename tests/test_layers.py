"""Every module of the package is in the layers contract, so that no import escapes it, and none import each other."""

from __future__ import annotations

import tomllib
from pathlib import Path

import grimp
import networkx as nx

ROOT = Path(__file__).parents[1]


def test_every_module_is_in_one_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = [contract for contract in contracts if contract["type"] == "layers"]
    named = [name.strip() for layer in contract["layers"] for name in layer.split("|")]
    modules = [path.stem for path in (ROOT / "causalvae").iterdir() if path.suffix == ".py" or path.is_dir()]
    assert sorted(named) == sorted(name for name in modules if name not in ("__init__", "__pycache__"))


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("causalvae", exclude_type_checking_imports=True)
    imports = nx.DiGraph(
        (module, imported) for module in graph.modules for imported in graph.find_modules_directly_imported_by(module)
    )
    # The methods of the section of an analysis, or of a level of interventions, import the other modules of its folder
    # when they are called.
    imports.remove_edges_from(
        [
            (module, imported)
            for module, imported in imports.edges
            if module.startswith(("causalvae.analyses.", "causalvae.interventions.")) and module.endswith(".section")
            if imported.startswith(module.removesuffix("section"))
        ]
    )
    assert [sorted(circle) for circle in nx.strongly_connected_components(imports) if len(circle) > 1] == []
