"""Trains every condition over several seeds and writes the tables of what was recovered.

Run as ``python -m causalvae_neighbours.grace.table FOLDER docs/neighbours-grace.md``: runs are kept in FOLDER, so that
a killed one goes on, and the tables are put between the document's marks.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from causalvae.spec.training import TrainSpec
from causalvae_neighbours.data.perturbations import PerturbationsData
from causalvae_neighbours.grace.assessment import assess
from causalvae_neighbours.grace.data import PerturbationDataset, shape_of
from causalvae_neighbours.grace.recovery import best_relabelling, match_counts, random_graphs, relabel, score_edges
from causalvae_neighbours.grace.screen import draw_screen
from causalvae_neighbours.grace.training import train_grace
from causalvae_neighbours.grace.warm_start import measure_reach
from causalvae_neighbours.objectives.causal_discrepancy import CausalDiscrepancyObjective

SEEDS = (0, 1, 2)
_CHANCE_GRAPHS = 200
# A target that moves this many of another's own genes is taken for its cause.
_MOVES = 0.5
_POOR = {"control_cells": 500, "guide_cells": 60}
_NOISY = {"noise": 1.5}

# Condition -> what differs from the default in the model, the data and the objective.
CONDITIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "as shipped": ({}, {}, {}),
    "no gene network": ({"graph": "none"}, {}, {}),
    "targets start at random": ({}, {}, {"targets": "random"}),
    "genes of the network shuffled": ({"graph": "shuffled"}, {}, {}),
    "chain of programmes": ({}, {"edges": "chain"}, {}),
    "linear world, linear layer": ({"mechanism": "linear"}, {"mechanism": "linear"}, {}),
    "poor screen": ({}, _NOISY, _POOR),
    "poor screen, no network": ({"graph": "none"}, _NOISY, _POOR),
}

# Conditions whose world and screen are new: what the means of its cells tell before any training.
_BEFORE = {
    "as shipped": "means alone, before training",
    "chain of programmes": "chain, means alone",
    "poor screen": "poor screen, means alone",
}


def spec_of(condition: str, seed: int) -> TrainSpec:
    """The training spec of a condition; the seed is that of the world, of its cells and of the network."""
    model, data, objective = CONDITIONS[condition]
    return TrainSpec.model_validate(
        {
            "spec": "causalvae/train-v1",
            "name": "grace",
            "model": {"architecture": "grace", "latent_dim": 6, **model},
            "data": {"source": "perturbations", "world": seed, **data},
            "objective": {"name": "causal_discrepancy", **objective},
            "optimiser": {"lr": 0.003, "final": 0.05},
            "batch_size": 128,
            "steps": 2000,
            "checkpoint_every": 500,
            "seed": seed,
        }
    )


def run_condition(condition: str, seed: int, folder: Path) -> dict[str, float]:
    """Train and assess, or read what an earlier call found.

    Returns
    -------
    dict
        The fields of `Assessment`, and ``cpu``: seconds of one core that training took.
    """
    place = folder / f"{condition.replace(' ', '-').replace(',', '')}.{seed}"
    found = place / "found.json"
    if found.exists():
        held: dict[str, float] = json.loads(found.read_text(encoding="utf-8"))
        return held
    spec = spec_of(condition, seed)
    if not isinstance(spec.objective, CausalDiscrepancyObjective) or not isinstance(spec.data, PerturbationsData):
        raise TypeError(condition)
    began = time.process_time()
    vae = train_grace(spec, place).vae
    cpu = time.process_time() - began
    world = PerturbationDataset(shape_of(spec.data)).world
    result = {**asdict(assess(vae, world, spec.objective.temperature)), "cpu": cpu}
    found.write_text(json.dumps(result), encoding="utf-8")
    return result


def chance(seed: int) -> dict[str, float]:
    """What random graphs of the true number of edges, and random targets, reach on a seed's world."""
    data = spec_of("as shipped", seed).data
    if not isinstance(data, PerturbationsData):
        raise TypeError(type(data).__name__)
    world = PerturbationDataset(shape_of(data)).world
    true = world.adjacency != 0.0
    d = len(true)
    graphs = random_graphs(d, int(true.sum()), _CHANCE_GRAPHS, seed)
    scores = [score_edges(graph, true) for graph in graphs]
    return {
        "targets": 1.0 / d,
        "shd": float(np.mean([score.shd for score in scores])),
        "precision": float(np.mean([score.precision for score in scores])),
        "recall": float(np.mean([score.recall for score in scores])),
        "f1": float(np.mean([score.f1 for score in scores])),
        "best_shd": float(np.mean([best_relabelling(graph, true).shd for graph in graphs[:20]])),
    }


def means_alone(condition: str, seed: int) -> dict[str, float]:
    """What the warm start knows before any training: groups of guides, and whose genes they move as the edges.

    A target moves the genes of all its descendants, so these edges are those of the ancestors.
    """
    spec = spec_of(condition, seed)
    if not isinstance(spec.objective, CausalDiscrepancyObjective) or not isinstance(spec.data, PerturbationsData):
        raise TypeError(spec.name)
    world = PerturbationDataset(shape_of(spec.data)).world
    screen = draw_screen(world, seed, spec.objective.control_cells, spec.objective.guide_cells)
    d = world.shape.programmes
    reach = measure_reach(screen.control.double().numpy(), screen.perturbed.double().numpy(), d)
    counts = np.zeros((d, d))
    np.add.at(counts, (reach.places, world.targets), 1.0)
    programme_of, _ = match_counts(counts)
    found = np.triu(reach.share > _MOVES, 1)
    true = world.adjacency != 0.0
    score = score_edges(relabel(found, programme_of), true)
    return {
        "targets": float((programme_of[reach.places] == world.targets).mean()),
        "shd": float(score.shd),
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
        "best_shd": float(best_relabelling(found, true).shd),
    }


_TABLES = {
    "What was recovered": {
        "correlation": "latents, mean absolute correlation",
        "targets": "targets right",
        "shd": "SHD",
        "f1": "edge F1",
        "precision": "precision",
        "recall": "recall",
        "best_shd": "SHD, best relabelling",
        "cpu": "CPU s",
    },
    "What was predicted": {
        "singles": "MMD, guides",
        "doubles": "MMD, unseen pairs",
        "unmoved": "the same, nothing moved",
        "doubles_error": "pairs' mean change, RMSE",
        "additive_error": "the same, sum of the guides",
    },
}
_DIGITS = {"shd": 0, "best_shd": 0, "cpu": 0, "singles": 4, "doubles": 4, "unmoved": 4}
_DIGITS |= {"doubles_error": 4, "additive_error": 4}
_START, _END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def write_tables(results: dict[str, list[dict[str, float]]]) -> str:
    """Markdown tables: a row a condition; each cell the mean over seeds and, in brackets, every seed."""
    parts = []
    for title, columns in _TABLES.items():
        lines = [f"### {title}\n", f"| condition | {' | '.join(columns.values())} |", "|---" * (len(columns) + 1) + "|"]
        for condition, runs in results.items():
            cells = [_cell(column, [run[column] for run in runs if column in run]) for column in columns]
            if any(cells):
                lines.append(f"| {condition} | {' | '.join(cells)} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _cell(column: str, values: list[float]) -> str:
    if not values:
        return ""
    digits = _DIGITS.get(column, 2)
    mean = f"{np.mean(values):.{1 if column in ('shd', 'best_shd') else digits}f}"
    return f"{mean} ({', '.join(f'{value:.{digits}f}' for value in values)})"


def put_in_place(tables: str, output: Path) -> None:
    """Replace what stands between the marks of a document, or write one that holds the tables alone."""
    text = output.read_text(encoding="utf-8") if output.exists() else f"{_START}{_END}"
    head, rest = text.split(_START)
    output.write_text(f"{head}{_START}\n{tables}\n{_END}{rest.split(_END)[1]}", encoding="utf-8")


def main(folder: Path, output: Path) -> None:
    """Run what has not been run, and write the tables after every run."""
    torch.set_num_threads(1)
    results: dict[str, list[dict[str, float]]] = {
        "chance": [chance(seed) for seed in SEEDS],
    }
    for condition in CONDITIONS:
        if condition in _BEFORE:
            results[_BEFORE[condition]] = [means_alone(condition, seed) for seed in SEEDS]
        results[condition] = []
        for seed in SEEDS:
            results[condition].append(run_condition(condition, seed, folder))
            put_in_place(write_tables(results), output)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
