"""Every module of the package is in the layers contract, so that no import escapes it."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_module_is_in_one_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = [contract for contract in contracts if contract["type"] == "layers"]
    named = [name.strip() for layer in contract["layers"] for name in layer.split("|")]
    modules = [path.stem for path in (ROOT / "causalvae").iterdir() if path.suffix == ".py" or path.is_dir()]
    assert sorted(named) == sorted(name for name in modules if name not in ("__init__", "__pycache__"))
