"""Other libraries' folders through `causalvae run`: every level of intervention, on pictures that the spec declares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import causalvae
from causalvae.api import RunOutcome, run
from causalvae.models.capturing import EXPORT
from causalvae.plan.owner import Owner
from tests.models.pythae_folders import default_state, write_folder

pytestmark = pytest.mark.slow

SPEC = """
spec: causalvae/v1
name: theirs
model: MODEL
data:
  source: scm
  world: shapes
  side: 16
  samples: 24
  variables:
    size: uniform(0.12, 0.3)
    x: {equation: '0.4 + 0.5 * size + normal(0, 0.03)', clip: [0.3, 0.7]}
graph:
  factors: [size, x]
  attributes: {area: {readout: area}, second: {readout: latent, index: 1}}
  edges: [size -> x, size -> area]
mapping: {size: "latent[1]", x: "latent[0, 2]"}
interventions:
  - {name: resize, input: {factor: size, others: propagate}}
  - {name: sweep, latent: {components: LATENTS, values: {quantiles: [0.1, 0.9]}, pairs: 4}}
  - {name: shift, latent: {components: "latent[1]", values: {sd: [-1, 1]}, pairs: 4}}
  - {name: patch, activation: {components: [SITE], from: resize, pairs: 4}}
  - {name: through, mediation: {treatment: resize, mediators: [$size, "latent[3]"], outcomes: [area, second]}}
hypotheses:
  - name: held
    treatment: resize
    circuit: [$size]
    outcome: area
    expect: {mediated_share: {at_least: 0.1}}
    null: {pairs: 24}
estimation: {bootstrap: 20, dowhy: false}
alignment: {samples: 24, pairs: 24}
"""


def write(folder: Path, model: str, latents: str, site: str) -> Path:
    path = folder / "theirs.yaml"
    path.write_text(SPEC.replace("MODEL", model).replace("LATENTS", latents).replace("SITE", site))
    return path


def finished(path: Path, folder: Path) -> tuple[RunOutcome, pd.DataFrame]:
    outcome = run(path, folder / "runs")
    results = outcome.results
    assert set(outcome.reports) == {"html", "markdown", "json"}
    levels = {estimate.owner for estimate in results.estimates}
    assert {
        Owner.intervention("resize"),
        Owner.intervention("sweep"),
        Owner.intervention("shift"),
        Owner.intervention("patch"),
    } <= levels
    assert Owner.intervention("through") in levels
    exact = {control.name: control.passed for control in results.controls}
    assert exact["self-patch"] and exact["full patch"] and exact["captured network"], results.controls
    tables = outcome.folder.parent / "tables" / results.manifest["tables digest"]
    observed = pd.concat(pd.read_parquet(file) for file in sorted((tables / "observations").iterdir()))
    return outcome, observed


def test_an_autoencoder_of_diffusers_goes_through_a_run(tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    torch.manual_seed(0)
    network = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        latent_channels=4,
        sample_size=16,
    )
    network.save_pretrained(tmp_path / "vae")
    path = write(
        tmp_path,
        "{source: diffusers, path: vae, untrained: true}",
        '["latent[0:2]", "latent[3; 0:4, 0:4]"]',
        "decoder.body.conv_in",
    )
    outcome, observed = finished(path, tmp_path)
    results = outcome.results
    assert results.model["captured by"] == EXPORT
    assert any("reconstruction" in warning for warning in results.warnings), "untrained weights are told of"

    session = causalvae.open(path)
    sites = {site.name: site for site in session.components}
    assert sites["latent"].shape == sites["latent.logvar"].shape == (4, 8, 8)
    for name in (
        "encoder.body.down_blocks.0.resnets.0.conv1",
        "encoder.quant_conv",
        "decoder.post_quant_conv",
        "decoder.body.up_blocks.0.upsamplers.0.conv",
        "decoder.body.mid_block.attentions.0.to_q",
    ):
        assert name in sites
    plan = causalvae.compile_plan(session)
    labels = [
        use.component.label
        for use in plan.uses
        if use.owner == Owner.intervention("sweep") and use.role == "perturbation"
    ]
    assert list(dict.fromkeys(labels)) == ["latent[0]", "latent[1]", "latent[3; 0:4, 0:4]"]

    # Tables hold channels by their means, and their KL summed over positions.
    columns = {f"{part}:{channel}" for part in ("mean", "logvar", "latent", "kl") for channel in range(4)}
    assert columns <= set(observed.columns)
    np.testing.assert_array_equal(observed["latent:1"], observed["attribute:second"])
    summary = {latent.latent: latent for latent in results.latents}
    for channel in range(4):
        assert summary[channel].kl == pytest.approx(observed[f"kl:{channel}"].mean())
        # A sum of 64 positions, each at least the KL that has the channel's means (Jensen).
        mean, logvar = observed[f"mean:{channel}"], observed[f"logvar:{channel}"]
        at_means = 0.5 * (mean**2 + np.exp(logvar) - 1 - logvar)
        assert (observed[f"kl:{channel}"] >= 64 * at_means - 1e-3).all()
    assert len(results.traversals) == 4
    assert all(len(strip.images) == len(strip.quantiles) for strip in results.traversals)


def test_a_folder_of_pythae_goes_through_a_run(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = default_state((3, 16, 16), 4)
    write_folder(tmp_path / "f", "BetaVAEConfig", (3, 16, 16), 4, state, reconstruction_loss="bce", beta=4.0)
    path = write(tmp_path, "{source: pythae, path: f, untrained: true}", '"latent[0:2]"', '"decoder.layers.0.1[0:16]"')
    outcome, observed = finished(path, tmp_path)
    assert outcome.results.model["network"] == "BetaVAE"
    assert "kl:0" not in observed.columns
    assert {"latent:3", "logvar:3"} <= set(observed.columns)
