"""Trains the small VQ-VAE briefly, perturbs it as docs/discrete.yaml says, and writes the table of discrete.md."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from causalvae.api import compile_plan, execute, open_session, train_network
from causalvae.plan.owner import Owner
from causalvae.spec import load_spec, load_train_spec
from causalvae.spec.training import TrainSpec

HERE = Path(__file__).parent
MARK = "<!-- table -->"
END = "<!-- end table -->"
WORDS = {
    "small_step": "encoder's vector, each channel moved by ±0.1 sd",
    "step": "encoder's vector, each channel moved by ±1 sd",
    "quantiles": "encoder's vector, each channel set to its 5 % and 95 % quantile",
    "swap": "`codes: swap`",
    "frequency": "`codes: frequency`",
}
# Below this squared change an image counts as unchanged: what rounding leaves.
UNCHANGED = 1e-8


def table(folder: Path, steps: int) -> str:
    """Train where that has not been done, measure, and give the table as Markdown."""
    training = replace_steps(HERE.parent / "specs" / "train" / "dsprites_vq.yaml", steps)
    weights = train_network(training, folder / "network").weights
    spec = load_spec(HERE / "discrete.yaml")
    spec = spec.model_copy(update={"model": spec.model.model_copy(update={"weights": str(weights.resolve())})})
    session = open_session(spec, HERE)
    plan = compile_plan(session)
    found = execute(session, plan, folder / "runs")
    measured: dict[str, tuple[float, float]] = {}
    for intervention in spec.interventions:
        uses = plan.uses_of(Owner.intervention(intervention.name), "perturbation")
        squares = np.stack([found.values(use.arm, "image_sq") for use in uses])
        measured[intervention.name] = (float(np.sqrt(squares).mean()), float((squares < UNCHANGED).mean()))
    lines = [
        f"Network: specs/train/dsprites_vq.yaml stopped at {steps} steps; {spec.data.samples} samples.",
        "",
        "| perturbation | one position of 8 x 8: CES | images unchanged | all positions: CES | images unchanged |",
        "|---|---|---|---|---|",
    ]
    for name, words in WORDS.items():
        here, everywhere = measured[name], measured[f"{name}_everywhere"]
        lines.append(f"| {words} | {here[0]:.2f} | {here[1]:.0%} | {everywhere[0]:.2f} | {everywhere[1]:.0%} |")
    return "\n".join(lines)


def replace_steps(path: Path, steps: int) -> TrainSpec:
    """The training spec, shorter."""
    return load_train_spec(path).model_copy(update={"steps": steps})


if __name__ == "__main__":
    document = HERE / "discrete.md"
    before, rest = document.read_text(encoding="utf-8").split(MARK)
    after = rest.split(END)[1]
    made = table(Path(sys.argv[1]), int(sys.argv[2]))
    document.write_text(f"{before}{MARK}\n{made}\n{END}{after}", encoding="utf-8")
