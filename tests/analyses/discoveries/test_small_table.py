"""A table may have fewer pairs to test on than a search asks for."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from safetensors.torch import save_file

import causalvae
from causalvae.analyses.discoveries.findings import Discovered
from tests.fuzz.small_run import small_vae

SPEC = """\
spec: causalvae/v1
name: few
model: {source: checkpoint, weights: w.safetensors, name: mlp, untrained: true, output: {likelihood: gaussian}}
data: {source: csv, path: table.csv, inputs: ["x*"], factors: [dose, kind]}
graph:
  factors: [dose, kind]
  attributes: {first: {readout: {column: x0}}}
  edges: [dose -> first]
interventions: [{name: more, input: {factor: dose}}]
discoveries: {circuits: [{name: carriers, treatment: more, outcome: first, halves: 0}]}
estimation: {bootstrap: 40, dowhy: false, gcm: false}
execution: {device: cpu, controls: false}
report: {formats: [json]}
"""


def test_circuits_are_found_in_a_table_with_few_pairs(tmp_path: Path) -> None:
    save_file(small_vae().state_dict(), tmp_path / "w.safetensors")
    rows = [f"{a / 9},{a * b % 5},{(a + b) % 3},{a},k{b}" for a, b in product(range(10), range(12))]
    (tmp_path / "table.csv").write_text("\n".join(["x0,x1,x2,dose,kind", *rows]) + "\n")
    (tmp_path / "spec.yaml").write_text(SPEC)
    found = causalvae.run(tmp_path / "spec.yaml", tmp_path / "runs").results.analyses["discoveries"]
    assert isinstance(found, Discovered)
    (circuit,) = found.circuits
    # 192 are asked for; half of 120 samples are to test on, a fifth to search on, and two make a pair.
    assert 2 <= circuit.pairs_searched <= 12 and 12 <= circuit.pairs_tested <= 30
