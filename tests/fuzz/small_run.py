"""A run so small that it takes a second: a random perceptron on a table of four variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

import causalvae
from causalvae.api import run_spec
from causalvae.files import read_json
from causalvae.models.architectures import perceptron
from causalvae.models.vae import VAE
from causalvae.spec import load_spec

SPEC = """\
spec: causalvae/v1
name: small
model: {source: checkpoint, weights: weights.safetensors, name: mlp, untrained: true, output: {likelihood: gaussian}}
data:
  source: scm
  world: table
  variables: {dose: "uniform(0, 1)", weight: "uniform(0, 2)", effect: "0.5 * dose + 0.2 * weight + normal(0, 0.05)"}
  samples: 48
graph:
  factors: [dose, weight, effect]
  attributes: {seen: {readout: {column: effect}}, other: {readout: {column: dose}}}
  edges: [dose -> seen, weight -> seen]
interventions:
  - {name: change, input: {factor: dose}}
  - {name: first, latent: {components: ["latent[0]"], values: {quantiles: [0.1, 0.9]}}}
execution: {device: cpu, controls: false}
"""
# Everything that a run stores.
EVERYTHING = SPEC.replace("samples: 48", "samples: 64").replace(
    "execution:",
    """\
  - {name: each, activation: {components: ["encoder.**"], by: unit, from: change, pairs: 16, screen: {keep: 0.5}}}
  - name: turned
    mediation: {treatment: change, mediators: [latent], outcomes: [seen], subspace: {dim: 1, learned_on: 24, steps: 4}}
hypotheses:
  - name: held
    treatment: change
    circuit: ["latent[0]"]
    outcome: seen
    expect: {mediated_share: {at_least: 0.5}}
    null: {pairs: 24}
mapping: {dose: "latent[0]"}
discoveries: {circuits: [{name: d, treatment: change, outcome: seen, halves: 2}], pairs: 24}
disentanglement: {samples: 100, scores: [mig]}
counterfactuals: {}
estimation: {bootstrap: 40, dowhy: false, gcm: false}
execution:""",
)
TRAINING = """\
spec: causalvae/train-v1
name: small
model: {architecture: mlp, latent_dim: 2, likelihood: gaussian, sigma: learned}
data:
  source: scm
  world: table
  variables: {dose: "uniform(0, 1)", weight: "uniform(0, 2)", effect: "0.5 * dose + 0.2 * weight + normal(0, 0.05)"}
objective: {name: vae}
batch_size: 8
steps: 40
checkpoint_every: 4
seed: 5
"""
STUDY = """\
spec: causalvae/study-v1
name: small
data:
  table:
    data:
      source: scm
      world: table
      variables:
        {dose: "uniform(0, 1)", weight: "uniform(0, 2)", effect: "0.5 * dose + 0.2 * weight + normal(0, 0.05)"}
    model: {architecture: mlp, latent_dim: 2, likelihood: gaussian, sigma: 0.1}
    analysis: run.yaml
models: {vae: {objective: {name: vae}}}
steps: 12
batch_size: 8
scores: {samples: 100, scores: [mig]}
"""
# What differs from run to run: times, and what was already there.
_TIMES = {"execution", "costs", "seconds"}


def small_vae() -> VAE:
    """A perceptron with 3 inputs and 2 latents, whose weights are always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return perceptron((3,), 2, (8,), "gaussian")


def write_specs(folder: Path) -> tuple[Path, Path, Path]:
    """The run's spec with its weights, the training spec and the study's, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(small_vae().state_dict(), folder / "weights.safetensors")
    paths = folder / "run.yaml", folder / "train.yaml", folder / "study.yaml"
    for path, text in zip(paths, (SPEC, TRAINING, STUDY), strict=True):
        path.write_text(text)
    return paths


def run(spec: Path, out: Path) -> Path:
    """The folder of a run of `spec`."""
    return run_spec(load_spec(spec), spec.parent, out).folder


def results_of(folder: Path) -> dict[str, Any]:
    """What a run found, without what differs from run to run."""
    found: dict[str, Any] = _without_times(read_json(folder / "results.json"))
    return found


def _without_times(content: Any) -> Any:
    if isinstance(content, list):
        return [_without_times(inner) for inner in content]
    if not isinstance(content, dict):
        return content
    return {key: _without_times(value) for key, value in content.items() if key not in _TIMES}


def train(spec: Path, out: Path) -> dict[str, torch.Tensor]:
    """The weights that a training run reaches in `out`."""
    from safetensors.torch import load_file

    return load_file(causalvae.train(spec, out).weights)
