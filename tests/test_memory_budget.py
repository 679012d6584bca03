"""A whole run, from the spec to the report, holds no more than `execution.memory`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# One channel of every layer, so that about 1 MB of clean values is kept of a pair, and 1,024 units.
SPEC = """
spec: causalvae/v1
name: NAME
model: {source: zoo, weights: "builtin://dsprites-disentangled"}
data: {source: dsprites, samples: PAIRS, seed: 7}
graph:
  factors: [scale, x]
  attributes: {area: {readout: area}, cx: {readout: centroid, axis: x}}
  edges: [scale -> area, x -> cx]
interventions:
  - {name: resize, input: {factor: scale}}
  - name: channels
    activation:
      components:
        - "encoder.conv1[0]"
        - "encoder.conv2[0]"
        - "encoder.lin1[0]"
        - "decoder.lin1[0]"
        - "decoder.lin3[0]"
        - "decoder.convT_64[0]"
        - "decoder.convT1[0]"
      by: channel
      from: resize
      pairs: PAIRS
  - {name: units, activation: {components: ["decoder.convT2[0]"], by: unit, from: resize, pairs: PAIRS}}
estimation: {bootstrap: 200, dowhy: false}
alignment: {samples: 64, pairs: 64}
execution: {controls: false, device: cpu, memory: 250 MB}
"""
BUDGET = 250e6
# A small run first: what libraries load at their first call belongs to the program. The peak of a process that is
# started by a large one is that of the other in `getrusage`; what Linux says of the address space is not.
PROGRAM = """
import sys
import causalvae
from benchmarks.memory import high_water, reset_high_water

causalvae.run("small.yaml", "runs")
before = reset_high_water()
causalvae.run("large.yaml", "runs")
print("grown", high_water() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_run_holds_no_more_than_its_budget(tmp_path: Path) -> None:
    for name, pairs in (("small", "16"), ("large", "256")):
        (tmp_path / f"{name}.yaml").write_text(SPEC.replace("NAME", name).replace("PAIRS", pairs), encoding="utf-8")
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    grown = float(done.stdout.rpartition("grown")[2]) * 2**20
    # The smallest that such a run can hold: less would mean that nothing was measured.
    assert 20e6 < grown < BUDGET
