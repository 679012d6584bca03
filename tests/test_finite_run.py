"""A run on a folder of images: which of them support its numbers, and which it only fitted or selected on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import causalvae
from causalvae.api import RunOutcome
from causalvae.data.split import SplitRule
from causalvae.plan.owner import Owner
from causalvae.report.document import build_document
from causalvae.report.markdown_report import render_markdown

IMAGES = 90
SIDE = 8
NETWORK = f"""
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear({SIDE**2}, 8))
        shape = nn.Unflatten(1, (1, {SIDE}, {SIDE}))
        self.decoder = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, {SIDE**2}), shape)
"""
SPEC = f"""
spec: causalvae/v1
name: folder
model: {{source: python, factory: "network:Small", latent_dim: 4, untrained: true,
        output: {{activation: none, likelihood: gaussian}}}}
data: {{source: images, path: pictures, table: labels.csv, file_column: file, size: {SIDE},
       colour: false, factors: [label]}}
graph:
  factors: [label]
  attributes: {{ink: {{readout: mean}}}}
  edges: [label -> ink]
interventions:
  - {{name: swap, input: {{set: swap}}}}
  - {{name: sweep, latent: {{components: latent, values: {{quantiles: [0.1, 0.9]}}}}}}
  - {{name: units, activation: {{components: [decoder.0], from: swap, by: unit,
      screen: {{outcome: ink, keep: 0.4, check: 1}}}}}}
  - {{name: via, mediation: {{treatment: swap, mediators: ["latent[0]"], outcomes: [image, ink]}}}}
disentanglement: {{samples: 60, votes: 20, predictor: bagging, baselines: false, scores: [dci, factor_vae]}}
estimation: {{bootstrap: 40, dowhy: false}}
report: {{formats: [markdown]}}
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> RunOutcome:
    folder = tmp_path_factory.mktemp("finite")
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)).save(
            folder / "pictures" / f"{number:03}.png"
        )
    labels = [f"{number:03}.png,{'abc'[label]}" for number, label in enumerate(rng.integers(0, 3, IMAGES))]
    (folder / "labels.csv").write_text("\n".join(["file,label", *labels]))
    (folder / "network.py").write_text(NETWORK)
    (folder / "folder.yaml").write_text(SPEC)
    with causalvae.allow_code(True):
        return causalvae.run(folder / "folder.yaml", folder / "runs")


def tables(outcome: RunOutcome) -> Path:
    return outcome.folder.parent / "tables" / str(outcome.results.manifest["tables digest"])


def test_every_n_is_a_number_of_distinct_images(outcome: RunOutcome) -> None:
    """Of 90 images 27 are to fit on, 18 to select on and 45 to test on, which make 22 swaps."""
    pairs = pd.read_parquet(tables(outcome) / "pairs.parquet")
    swaps = pairs[pairs["cohort"] == "swap"]
    used = np.concatenate([swaps["base_sample"], swaps["counterfactual_sample"]])
    assert len(swaps) == 22 and len(np.unique(used)) == 44
    assert swaps["base_file"].tolist() == [f"{number:03}.png" for number in swaps["base_sample"]]
    assert swaps["counterfactual_file"].tolist() == [f"{number:03}.png" for number in swaps["counterfactual_sample"]]
    observed = pairs[pairs["cohort"] == "observed"]
    assert len(observed) == observed["base_sample"].nunique() == 45
    assert pairs["base_sample"].dtype == np.int64
    counts = {estimate.owner: estimate.n for estimate in outcome.results.estimates}
    assert counts[Owner.intervention("via")] == 22 and counts[Owner.intervention("sweep")] == 45
    facts = {use.cohort: (use.asked, use.used) for use in outcome.results.samples.cohorts}
    assert facts["swap"] == (512, 22) and facts["observed"] == (512, 45)
    assert outcome.results.data["pairs a treatment"] == 22
    assert any("fewer distinct samples" in warning for warning in outcome.results.warnings)


def test_no_image_that_was_fitted_or_selected_on_is_tested_on(outcome: RunOutcome) -> None:
    pairs = pd.read_parquet(tables(outcome) / "pairs.parquet")
    split = pd.read_parquet(tables(outcome) / "split.parquet")
    part_of = split.set_index("file")["part"]
    assert set(part_of[pairs["base_file"]]) == set(part_of[pairs["counterfactual_file"]]) == {"test"}
    assert split["part"].value_counts().to_dict() == {"fit": 27, "select": 18, "test": 45}
    assert outcome.results.manifest["split"] == {
        "samples to fit on": 27, "samples to select on": 18, "samples to test on": 45,
        "seed": 0, "digest": SplitRule().digest(IMAGES),
    }  # fmt: skip
    scores = outcome.results.scores
    assert scores is not None and (scores.samples, scores.test_samples) == (27, 30)
    assert scores.value("FactorVAE score") is None


def test_the_report_says_what_intervals_take_as_given(outcome: RunOutcome) -> None:
    (given,) = outcome.results.samples.given
    assert (given.owner, given.kind, given.samples) == (Owner.intervention("sweep"), "quantile", 27)
    text = " ".join(render_markdown(build_document(outcome.results)).replace("\\", "").split())
    assert "quantiles (of 27 other samples)" in text
    assert "do not include their sampling error" in text
    assert "27 distinct samples (of 60 asked for)" in text
    assert "only one varies" in text
