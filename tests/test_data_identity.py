"""Tables are kept by what was run: data that changes under its name is other data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import causalvae
from causalvae.data.identity import digest_files, list_files

SPEC = """\
spec: causalvae/v1
name: own
model: {source: zoo, weights: builtin://dsprites-disentangled, untrained: true}
data: {source: npz, path: own.npz, samples: 8}
graph:
  factors: []
  attributes: {area: {readout: area}}
interventions:
  - {name: other, input: {set: swap}}
"""


def _digest(folder: Path, fill: float) -> str:
    inputs = np.full((12, 1, 64, 64), fill, dtype=np.float32)
    inputs[:, :, 20:30, 20:30] = 1 - fill
    np.savez(folder / "own.npz", inputs=inputs)
    return causalvae.compile_plan(causalvae.open(folder / "own.yaml")).tables_digest


def test_other_content_has_other_tables(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(SPEC, encoding="utf-8")
    first, second, again = _digest(tmp_path, 0.0), _digest(tmp_path, 0.25), _digest(tmp_path, 0.0)
    assert first != second
    assert first == again


def test_any_file_below_a_folder_counts(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "left" / "deep").mkdir(parents=True)
    (folder / "left" / "deep" / "0.png").write_bytes(b"one")
    (folder / "1.png").write_bytes(b"two")
    first = digest_files([folder])
    assert [name for name, _ in list_files(folder)] == ["1.png", "left/deep/0.png"]
    assert digest_files([tmp_path / "images"]) == first
    (folder / "left" / "deep" / "0.png").write_bytes(b"six")
    changed = digest_files([folder])
    (folder / "left" / "deep" / "0.png").rename(folder / "left" / "0.png")
    moved = digest_files([folder])
    assert len({first, changed, moved, digest_files([folder / "absent"]), digest_files([])}) == 5
