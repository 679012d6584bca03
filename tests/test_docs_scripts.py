"""The scripts that make tables and pictures of the docs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from causalvae.models.card import Card, Carries, write_card
from causalvae.models.vae import VAE

DOCS = Path(__file__).parents[1] / "docs"
CARD = Card(
    (0.02, 2.5, 4.0),
    (
        Carries("x", 256, 0.98, (0.0, 0.02, 0.97)),
        Carries("hue", 256, 0.6, (0.0, 0.7, 0.15)),
        Carries("blur", 256, 0.01, (0.0, 0.9, 0.1)),
        Carries("side", 0, None, None),
    ),
)


def script(name: str) -> ModuleType:
    source = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert source is not None and source.loader is not None
    module = importlib.util.module_from_spec(source)
    source.loader.exec_module(module)
    return module


def write(path: Path, card: Card, data: dict[str, Any], told: dict[str, Any] | None = None) -> None:
    spec = {
        "model": {"architecture": "burgess"},
        "data": data,
        "objective": {"name": "beta_tcvae", "beta": 4.0},
        "steps": 120_000,
        "batch_size": 64,
        "supervision": told,
    }
    metadata = {"training_spec": json.dumps(spec), "seconds": "5400", "reconstruction_nats": "41.26"}
    save_file({"w": torch.zeros(1)}, path, metadata={**metadata, **write_card(card)})


def test_the_table_says_what_the_metadata_record(tmp_path: Path) -> None:
    told = {"latents": {"x": 2, "hue": 1}, "share": 0.05, "paired": True}
    write(tmp_path / "b.safetensors", CARD, {"source": "scm", "world": "shapes"}, told)
    write(tmp_path / "a.safetensors", Card(), {"source": "dsprites"})
    blocks = script("model_table").table(tmp_path).split("\n\n")
    trained, latents = ([line.strip("|").split("|") for line in block.splitlines()] for block in blocks)
    assert [cell.strip() for cell in trained[3]] == [
        "`builtin://b`",
        "burgess, scm shapes",
        "beta_tcvae (beta 4.0); supervised: z2 on x, z1 on hue; labels for 5% of the samples, in pairs that differ "
        "only in these factors",
        "120,000 of 64",
        "90",
        "41.3",
    ]
    assert [cell.strip() for cell in latents[3]] == [
        "`builtin://b`",
        "z1 2.5, z2 4.0",
        "x: z2 0.97; hue: z1 0.70, z2 0.15 (explained 0.60); blur: z1 0.90, z2 0.10 (explained 0.01); side: no pairs",
    ]
    assert [cell.strip() for cell in latents[2]] == ["`builtin://a`", "", "not recorded"]
    for rows in (trained, latents):
        assert {len(cells) for cells in rows} == {len(rows[0])}


def test_a_traversal_moves_one_latent_along_the_aggregate_posterior() -> None:
    """Means are the inputs, log-variances log 3; the decoder gives the latents back, and leaves out the sigmoid."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(3, 6))
    encoder[1].weight.data = torch.cat([torch.eye(3), torch.zeros(3, 3)])
    encoder[1].bias.data = torch.tensor([0.0, 0.0, 0.0, *[float(np.log(3.0))] * 3])
    vae = VAE(encoder, nn.Unflatten(1, (3, 1, 1)), 3, (3, 1, 1), activation="none", likelihood="gaussian")
    x = torch.randn(300, 3, 1, 1) + torch.tensor([0.0, 5.0, -1.0])[:, None, None]
    pictures = script("traversals").traverse(vae, x, (1, 0), sample=7)[..., 0, 0]
    assert pictures.shape == (2, 9, 3)
    base = x[7, :, 0, 0]
    for row, latent in enumerate((1, 0)):
        column = x[:, latent, 0, 0]
        sd = (column.var() + 3.0).sqrt()
        torch.testing.assert_close(pictures[row, :, latent], column.mean() + sd * torch.linspace(-2.0, 2.0, 9))
        for other in {0, 1, 2} - {latent}:
            torch.testing.assert_close(pictures[row, :, other], base[other].expand(9))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_strip_shows_every_picture_as_it_is(channels: int) -> None:
    pictures = torch.rand(2, 9, channels, 32, 32)
    base = torch.rand(channels, 32, 32)
    strip = script("traversals").draw(base, pictures, ["latent[1]\nx 0.97", "latent[0]"])
    pixels = np.asarray(strip)
    for row in range(2):
        for column in range(9):
            expected = (pictures[row, column].permute(1, 2, 0) * 255.0).round().numpy().astype(np.uint8)
            tile = pixels[-66 * (2 - row) :, -66 * (9 - column) :][:64:2, :64:2]
            np.testing.assert_array_equal(tile, np.broadcast_to(expected, (32, 32, 3)))
    assert (pixels[:, :200] < 128).any(), "the labels"


def test_a_label_names_what_is_reproduced() -> None:
    label = script("traversals").label_of
    assert label(2, CARD) == "latent[2], KL 4.00 nats\nx 0.97, hue 0.15"
    assert label(1, CARD) == "latent[1], KL 2.50 nats\nhue 0.70"


def test_figures_of_a_spec_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The circuits of a spec with their curves; motifs only of what has some."""
    spec = tmp_path / "chain.yaml"
    spec.write_text(
        """
spec: causalvae/v1
name: chain
model: {source: compiled, circuit: chain, latents: 6}
data: {source: scm, world: table, variables: {t: "uniform(0, 1)", s: "uniform(0, 1)", u: "uniform(0, 1)"}, samples: 48}
graph: {factors: [t], attributes: {y: {readout: column, index: 0}}, edges: [t -> y]}
interventions: [{name: rise, input: {factor: t}}]
estimation: {bootstrap: 50}
discoveries:
  pairs: 24
  scores: [relp]
  circuits:
    - {name: one, treatment: rise, outcome: y, halves: 0}
    - {name: wired, treatment: rise, outcome: y, candidates: edges, halves: 0}
"""
    )
    out = tmp_path / "figures"
    monkeypatch.setattr(
        "sys.argv", ["circuit_figures.py", str(spec), str(out), "--runs", str(tmp_path), "--prefix", "a-"]
    )
    script("circuit_figures").main()
    names = {path.name for path in out.iterdir()}
    assert names == {
        "a-one-circuit.svg",
        "a-one-curve.svg",
        "a-wired-circuit.svg",
        "a-wired-curve.svg",
        "a-wired-motifs.svg",
    }
    root = ElementTree.fromstring((out / "a-wired-circuit.svg").read_text(encoding="utf-8"))
    space = "{http://www.w3.org/2000/svg}"
    assert len([path for path in root.iter(f"{space}path") if path.attrib["class"] == "sent"]) == 6
    assert "<style>" in (out / "a-one-curve.svg").read_text(encoding="utf-8")
