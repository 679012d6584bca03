"""What a run takes around its patched rows and controls: loading, checks, clean runs, pictures, the report.

``python -m benchmarks.around`` makes two autoencoders of diffusers with random weights (an AutoencoderTiny of TAESD's
size and a small AutoencoderKL) and 120 crops of two photographs at 64 x 64 pixels, runs one spec on each in a process
of its own, and prints the processor seconds of each stage as JSON. ``--save FILE`` writes them. Times of two commits
are comparable where both ran on one machine, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NETWORKS = ("AutoencoderTiny", "AutoencoderKL")
_SPEC = """
spec: causalvae/v1
name: {name}
model: {{source: diffusers, path: {name}, untrained: true}}
data: {{source: images, path: photographs, size: 64, samples: 60}}
graph:
  attributes:
    brightness: {{readout: mean}}
    left_right: {{readout: centroid, axis: x}}
interventions:
  - {{name: another, input: {{set: swap}}}}
  - {{name: sweep, latent: {{components: latent}}}}
  - name: through
    mediation:
      treatment: another
      mediators: ["latent[0]", "latent[1]", "latent[2]", "latent[3]"]
      outcomes: [brightness, image]
hypotheses:
  - name: first
    treatment: another
    circuit: ["latent[0]"]
    outcome: image
    expect: {{mediated_share: {{at_least: 0.2}}}}
  - name: bright
    treatment: another
    circuit: ["latent[1]", "latent[2]"]
    outcome: brightness
    expect: {{mediated_share: {{at_least: 0.2}}}}
"""


def make_inputs(folder: Path) -> None:
    """Write the networks, the photographs and the specs into a folder."""
    import diffusers
    import numpy as np
    import torch
    from PIL import Image
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(0)
    photographs = load_sample_images().images
    (folder / "photographs").mkdir()
    for number in range(120):
        whole = photographs[number % 2]
        size = int(rng.integers(64, 257))
        top, left = (int(rng.integers(0, length - size)) for length in whole.shape[:2])
        crop = Image.fromarray(whole[top : top + size, left : left + size]).resize((64, 64))
        crop.save(folder / "photographs" / f"{number:03}.png")
    torch.manual_seed(0)
    # diffusers' own types lack the methods of its base class.
    library: Any = diffusers
    library.AutoencoderTiny().save_pretrained(folder / "AutoencoderTiny")
    library.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 64, 64),
        norm_num_groups=8,
        sample_size=64,
    ).save_pretrained(folder / "AutoencoderKL")
    for name in NETWORKS:
        (folder / f"{name}.yaml").write_text(_SPEC.format(name=name), encoding="utf-8")


def measure(spec: Path) -> dict[str, Any]:
    """Processor seconds of one run, in this process: all, the patched rows, exact controls and copy, each stage."""
    import causalvae
    from causalvae.engine.progress import Progress
    from causalvae.engine.shards import EXACT_CONTROLS, RANDOM_COPY

    began = time.process_time()
    marks: list[tuple[str, float]] = []

    def note(progress: Progress) -> None:
        marks.append((progress.stage, time.process_time()))

    outcome = causalvae.run(spec, spec.parent / "runs", note)
    total = time.process_time() - began
    stages: dict[str, float] = {}
    before = began
    for stage, at in marks:
        # What passes before a stage's first mark is the end of the one before it.
        stages[stage] = stages.get(stage, 0.0) + at - before
        before = at
    costs = outcome.results.costs
    rows = sum(row.seconds or 0.0 for row in costs if row.is_group)
    controls = sum(row.seconds or 0.0 for row in costs if row.sites in (EXACT_CONTROLS, RANDOM_COPY))
    return {
        "total": round(total, 1),
        "patched rows": round(rows, 1),
        "controls": round(controls, 1),
        "around both": round(total - rows - controls, 1),
        "stages": {stage: round(seconds, 1) for stage, seconds in stages.items()},
    }


def main() -> int:
    """Measure every network in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--save", type=Path, help="file for the figures")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(options.one)))
        return 0
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_inputs(folder)
        for name in options.networks:
            answer = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "benchmarks.around", "--one", str(folder / f"{name}.yaml")],
                check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            found[name] = json.loads(answer.stdout)
            print(name, json.dumps(found[name], indent=1))
    if options.save is not None:
        options.save.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
