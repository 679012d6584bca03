"""Every shipped spec keeps the digest that stored results and weights were made under.

Runs are found again by these digests, and weights record the values. A field that a registered kind adds, renames or
leaves out of a dump would change them without any other sign. After an intended change write the file anew:
``python -m tests.spec.test_frozen_digests``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from causalvae.digest import digest
from causalvae.spec.architecture_section import ARCHITECTURE_TAG
from causalvae.spec.loader import load_spec, load_study_spec, load_train_spec
from causalvae.spec.readout_section import READOUT_TAG
from causalvae.spec.schema import Spec
from causalvae.spec.training import TrainSpec

ROOT = Path(__file__).parents[2]
FROZEN = Path(__file__).with_name("digests.json")
SPECS = sorted(
    path.relative_to(ROOT).as_posix() for folder in ("specs", "examples") for path in (ROOT / folder).rglob("*.yaml")
)
READERS = {"causalvae/v1": load_spec, "causalvae/train-v1": load_train_spec, "causalvae/study-v1": load_study_spec}


def digest_of(name: str) -> str:
    """The digest of what decides the numbers of a run, the weights of a training, or those of each cell of a study."""
    text = (ROOT / name).read_text(encoding="utf-8")
    # Read without its files: weights that only training makes are not there.
    load = next(reader for kind, reader in READERS.items() if f"spec: {kind}" in text)
    spec = load(ROOT / name)
    if isinstance(spec, Spec):
        return spec.digest
    trained = [spec] if isinstance(spec, TrainSpec) else [spec.train_spec(*cell) for cell in spec.cells]
    return digest([one.identity for one in trained])


def test_all_specs_are_frozen() -> None:
    assert sorted(json.loads(FROZEN.read_text(encoding="utf-8"))) == SPECS
    assert len(SPECS) > 30


@pytest.mark.parametrize("name", SPECS)
def test_a_digest_does_not_change(name: str) -> None:
    assert digest_of(name) == json.loads(FROZEN.read_text(encoding="utf-8"))[name]


def test_attributes_are_recorded_with_the_keys_that_they_had() -> None:
    """Tables that are stored are found by a digest of the attributes, among other things."""
    section = READOUT_TAG.read({"readout": "centroid", "axis": "x", "rows": [0.5, 1.0]})
    keys = {"axis": "x", "target": None, "label": None, "index": None, "column": None, "channel": None}
    assert section.record == {"readout": "centroid", **keys, "rows": [0.5, 1.0], "columns": None, "rate": None}


def test_models_are_recorded_with_the_keys_that_they_had() -> None:
    keys = {"codes": None, "condition": None, "levels": 2, "mechanism": None, "graph": None}
    shared = {"latent_dim": 4, "init": "pytorch", "likelihood": "bernoulli", "sigma": None}
    section = ARCHITECTURE_TAG.read({"architecture": "ladder", "latent_dim": 4, "levels": 2})
    assert section.record == {"architecture": "ladder", **shared, **keys}
    assert ARCHITECTURE_TAG.read(section.record) == section


if __name__ == "__main__":
    FROZEN.write_text(json.dumps({name: digest_of(name) for name in SPECS}, indent=1) + "\n", encoding="utf-8")
