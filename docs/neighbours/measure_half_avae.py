"""Trains the Half-AVAE with and without its adversary over seeds and keeps what was found in half_avae.json.

    python docs/neighbours/measure_half_avae.py [FIRST_SEED [SEEDS]]

Seeds below 200 were used to choose the settings; the seeds kept are others.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from causalvae.spec import load_train_spec
from causalvae_neighbours.half_avae.study import Trial, as_record, compare_forms

HERE = Path(__file__).parent
SPEC = HERE.parent.parent / "examples" / "half_avae" / "train.yaml"
KEPT = HERE / "half_avae.json"


def main(first: int = 200, count: int = 12) -> None:
    """Measure each seed, keeping what is done after each."""
    torch.set_num_threads(1)
    done: list[Trial] = []

    def keep(trial: Trial) -> None:
        done.append(trial)
        KEPT.write_text(json.dumps([as_record(one) for one in done], indent=1) + "\n", encoding="utf-8")
        print(trial.seed, round(trial.without.mean, 3), round(trial.with_adversary.mean, 3), flush=True)  # noqa: T201

    compare_forms(load_train_spec(SPEC), range(first, first + count), keep)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
