"""Trains the spin VAE and two rivals over seeds and keeps what their latents know in quantum.json.

    python docs/neighbours/measure_quantum.py FOLDER [SEEDS]

FOLDER takes each run's checkpoint, so that a killed script goes on. Seed 0 was used to choose the settings; the seeds
kept are others.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from causalvae.spec import load_train_spec
from causalvae.spec.training import TrainSpec
from causalvae.training.loop import train
from causalvae_neighbours.quantum.ising import IsingDataset
from causalvae_neighbours.quantum.measures import find_ceiling, find_knowledge

HERE = Path(__file__).parent
SPEC = HERE.parent.parent / "examples" / "quantum" / "train.yaml"
KEPT = HERE / "quantum.json"
FIRST_SEED = 100


def conditions(spec: TrainSpec) -> dict[str, TrainSpec]:
    """The example's training spec, the plain bound, and a decoder whose spins are independent given the latent."""
    plain = {"alpha": 1.0, "beta": 1.0, "gamma": 1.0}
    return {
        "autoregressive, alpha 0.7": spec,
        "autoregressive, plain bound": spec.model_copy(update={"objective": spec.objective.model_copy(update=plain)}),
        "independent spins, alpha 0.7": spec.model_copy(
            update={"model": spec.model.model_copy(update={"architecture": "mlp"})}
        ),
    }


def main(folder: str, count: str = "5") -> None:
    """Measure each condition and seed, keeping what is done after each."""
    torch.set_num_threads(1)
    base = load_train_spec(SPEC)
    dataset = base.data.open(Path())
    assert isinstance(dataset, IsingDataset)  # noqa: S101
    rows: list[dict[str, Any]] = []
    for name, spec in conditions(base).items():
        for seed in range(FIRST_SEED, FIRST_SEED + int(count)):
            run = spec.model_copy(update={"seed": seed})
            result = train(run, Path(folder) / f"{seed}-{name.replace(' ', '-').replace(',', '')}")
            found = find_knowledge(result.vae, dataset)
            rows.append({"seed": seed, "condition": name, "best": found.best, **asdict(found)})
            kept = {"ceiling": asdict(find_ceiling(dataset)), "rows": rows}
            KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            best = found.each[found.best]
            print(seed, name, round(found.bound, 3), round(best.order, 3), round(best.field, 3), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
