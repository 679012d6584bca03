"""Compiled codes, whose faults are known: which give sound counterfactuals."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

import causalvae
from causalvae.analyses.counterfactuals.estimate import estimate_counterfactuals
from causalvae.analyses.counterfactuals.measure import measure_counterfactuals
from causalvae.analyses.counterfactuals.section import CounterfactualsAnalysis
from causalvae.models.kinds.compiled import CompiledModel
from causalvae.models.planted import CODES, WORLDS, code_truth
from causalvae.session import Session
from causalvae.spec.schema import Spec

NAMES = list("abcd")
# What has no fault, and what maps a spare latent besides.
SOUND = {"identity", "padded"}


@cache
def opened(code: str, world: str) -> Session:
    model: dict[str, Any] = {"source": "compiled", "code": code, "dead": 1}
    known = code_truth(CompiledModel.model_validate(model), len(NAMES))
    spec = Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": code,
            "model": model,
            "data": {"source": "scm", "world": "table", "variables": WORLDS[world], "scale": "none", "samples": 400},
            "graph": {
                "factors": NAMES,
                "attributes": {f"y{name}": {"readout": "column", "column": name} for name in NAMES},
                "edges": [f"{name} -> y{name}" for name in NAMES],
            },
            "mapping": {
                name: {"components": [f"latent[{unit}]" for unit in known.mapping[column]]}
                for column, name in enumerate(NAMES)
            },
            "estimation": {"bootstrap": 400},
            "execution": {"batch_rows": 256},
        }
    )
    return causalvae.open_session(spec, Path())


def status(code: str, world: str, seed: int, folder: Path) -> str | None:
    session, section = opened(code, world), CounterfactualsAnalysis(cycles=1, seed=seed)
    return estimate_counterfactuals(session, section, measure_counterfactuals(session, section, folder)).status


@pytest.mark.parametrize("code", ["identity", "rotated", "lossy", "partial", "swapped"])
def test_a_fault_makes_counterfactuals_unsound(code: str, tmp_path: Path) -> None:
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        assert status(code, "chain", seed, folder) == ("sound" if code in SOUND else "unsound")


@pytest.mark.simulation
@pytest.mark.parametrize("world", ["chain", "fork", "collider", "diamond"])
@pytest.mark.parametrize("code", list(CODES))
def test_every_code_in_every_world(code: str, world: str, tmp_path: Path) -> None:
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        assert status(code, world, seed, folder) == ("sound" if code in SOUND else "unsound")
