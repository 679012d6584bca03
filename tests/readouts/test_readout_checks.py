"""Readouts against the true factors: they pass where they should, and a wrong one is caught."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from causalvae.data.dataset import DspritesDataset, OfficialDspritesDataset
from causalvae.data.pairs import draw_samples
from causalvae.models.burgess import burgess
from causalvae.readouts import build_readouts, check_readouts
from causalvae.readouts.probe_training import blur
from tests.readouts.test_readout import SECTIONS

PRETRAINED = Path(__file__).resolve().parents[2].parent / "shared" / "pretrained"
DATASET = DspritesDataset()


def by_attribute(checks):
    return {check.attribute: check for check in checks}


def test_every_readout_passes_on_real_sprites():
    readouts = build_readouts(SECTIONS)
    checks = check_readouts(DATASET, readouts, lambda images: images, draw_samples(DATASET, 800, 1))
    assert [check.attribute for check in checks] == list(SECTIONS)
    for check in checks:
        assert check.passed, check
        assert check.on_inputs == check.on_reconstructions
        assert check.readout == readouts[check.attribute].name
    found = by_attribute(checks)
    assert found["size"].on_inputs > 0.995
    assert found["across"].on_inputs > 0.99
    assert found["turn"].on_inputs > 0.999
    assert found["length"].on_inputs > 0.995
    assert found["heartness"].on_inputs > 0.995
    assert 200 < found["turn"].n < 340
    assert found["size"].n == 800


def test_a_poor_network_shows_in_the_reconstructions_alone():
    blank = check_readouts(
        DATASET, build_readouts(SECTIONS), lambda images: torch.full_like(images, 0.1), draw_samples(DATASET, 400, 2)
    )
    for check in blank:
        assert check.passed
        assert check.on_reconstructions < 0.5


@pytest.mark.parametrize(
    ("attribute", "spoil"),
    [
        ("size", lambda value: value * 1.2),
        ("across", lambda value: 64 - value),
        ("down", lambda value: value + 1.0),
        ("turn", lambda value: -value),
        ("turn", lambda value: value + 0.3),
        ("length", lambda value: value * 2),
    ],
)
def test_a_readout_of_wrong_unit_sign_or_origin_fails(attribute, spoil):
    right = build_readouts({attribute: SECTIONS[attribute]})[attribute]
    wrong = dataclasses.replace(right, formula=lambda moments: spoil(right.formula(moments)))
    (check,) = check_readouts(DATASET, {attribute: wrong}, lambda images: images, draw_samples(DATASET, 400, 3))
    assert not check.passed


def test_a_probe_that_reads_the_wrong_labels_fails():
    readout = build_readouts({"heartness": SECTIONS["heartness"]})["heartness"]
    swapped = type(readout.probe)("shape", readout.probe.labels[::-1])
    swapped.load_state_dict(readout.probe.state_dict())
    (check,) = check_readouts(
        DATASET,
        {"heartness": dataclasses.replace(readout, probe=swapped)},
        lambda images: images,
        draw_samples(DATASET, 300, 0),
    )
    assert not check.passed
    assert check.on_inputs == pytest.approx(1 / 3, abs=0.1)


def test_the_seed_decides_the_samples():
    readouts = build_readouts({"size": SECTIONS["size"]})
    runs = [
        check_readouts(DATASET, readouts, lambda images: images, draw_samples(DATASET, 200, seed)) for seed in (0, 0, 1)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_grid_without_known_geometry_is_left_out(tmp_path):
    from tests.data.test_official import SMALL, official_members, write

    dataset = OfficialDspritesDataset(write(tmp_path / "d.npz", official_members()), SMALL)
    checks = check_readouts(dataset, build_readouts(SECTIONS), lambda images: images, draw_samples(dataset, 100, 0))
    assert [check.attribute for check in checks] == ["heartness", "squareness"]


def test_a_blurring_decoder_keeps_the_geometry():
    """Blur keeps mass and centre and adds sigma^2 to both second moments."""
    levels = DATASET.draw(50, np.random.default_rng(8))
    images = DATASET.inputs(levels)
    readouts = build_readouts(SECTIONS)
    soft = blur(images, torch.full((50,), 1.2))
    for attribute in ("size", "across", "down"):
        assert torch.allclose(readouts[attribute](images), readouts[attribute](soft), atol=1e-3)
    for attribute in ("length", "breadth"):
        widened = (readouts[attribute](images) ** 2 + 1.2**2).sqrt()
        assert torch.allclose(widened, readouts[attribute](soft), atol=2e-2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["VAE", "betaH", "factor", "btcvae"])
def test_readouts_hold_on_reconstructions_of_real_networks(name):
    weights = PRETRAINED / f"{name}_dsprites" / "model.pt"
    if not weights.is_file():
        pytest.skip(f"the pretrained network ../shared/pretrained/{name}_dsprites is absent")
    vae = burgess(layout="interleaved")
    vae.load_state_dict(torch.load(weights, weights_only=True))
    found = by_attribute(check_readouts(DATASET, build_readouts(SECTIONS), vae.eval(), draw_samples(DATASET, 400, 4)))
    assert all(check.passed for check in found.values())
    assert found["heartness"].on_reconstructions > (0.95 if name == "btcvae" else 0.99)
    for attribute in ("size", "across", "down", "turn", "length", "breadth"):
        assert found[attribute].on_reconstructions > 0.95
