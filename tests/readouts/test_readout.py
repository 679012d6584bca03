"""Readouts by name, all in one pass, and what a spec may not ask for."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from causalvae.data.dataset import DspritesDataset
from causalvae.errors import CausalVAEError
from causalvae.readouts import build_readouts, measure, wrap
from causalvae.spec.readout_section import READOUT_TAG

SECTIONS = {
    "size": READOUT_TAG.read({"readout": "area"}),
    "across": READOUT_TAG.read({"readout": "centroid", "axis": "x"}),
    "down": READOUT_TAG.read({"readout": "centroid", "axis": "y"}),
    "turn": READOUT_TAG.read({"readout": "orientation"}),
    "length": READOUT_TAG.read({"readout": "extent", "axis": "major"}),
    "breadth": READOUT_TAG.read({"readout": "extent", "axis": "minor"}),
    "heartness": READOUT_TAG.read({"readout": "probe", "target": "shape", "label": "heart"}),
    "squareness": READOUT_TAG.read({"readout": "probe", "target": "shape", "label": "square"}),
}


def sprites(n: int, seed: int = 0) -> torch.Tensor:
    dataset = DspritesDataset()
    return dataset.inputs(dataset.draw(n, np.random.default_rng(seed)))


def test_names_units_and_periods():
    readouts = build_readouts(SECTIONS)
    assert list(readouts) == list(SECTIONS)
    facts = {attribute: (readout.name, readout.unit) for attribute, readout in readouts.items()}
    assert facts == {
        "size": ("area", "pixels"),
        "across": ("centroid x", "pixels"),
        "down": ("centroid y", "pixels"),
        "turn": ("orientation", "radians"),
        "length": ("extent major", "pixels"),
        "breadth": ("extent minor", "pixels"),
        "heartness": ("probe shape = heart", "probability"),
        "squareness": ("probe shape = square", "probability"),
    }
    for attribute, readout in readouts.items():
        assert readout.attribute == attribute
        assert readout.period == SECTIONS[attribute].period
    assert [attribute for attribute, readout in readouts.items() if readout.period] == ["turn"]
    assert readouts["turn"].period == math.pi


def test_one_pass_gives_what_each_readout_gives_alone():
    readouts, images = build_readouts(SECTIONS), sprites(70)
    together = measure(readouts, images)
    assert together.shape == (70, len(SECTIONS))
    assert together.dtype == torch.float64
    for column, readout in enumerate(readouts.values()):
        assert torch.equal(together[:, column], readout(images))


def test_rows_are_equal_in_any_batch():
    readouts = build_readouts(SECTIONS)
    images = torch.sigmoid(8 * (sprites(130, seed=4) - 0.5) + torch.randn(130, 1, 64, 64).mul(0.3))
    whole = measure(readouts, images)
    alone = torch.cat([measure(readouts, images[k : k + 1]) for k in range(0, 130, 13)])
    assert torch.equal(alone[:, :6], whole[::13, :6])
    # The probe runs in blocks of one shape; what is left is how a kernel treats a row's place in its block.
    assert torch.allclose(alone[:, 6:], whole[::13, 6:], rtol=0, atol=1e-6)


def test_no_images_and_no_readouts():
    assert measure(build_readouts(SECTIONS), torch.zeros(0, 1, 64, 64)).shape == (0, len(SECTIONS))
    assert measure({}, torch.zeros(3, 1, 64, 64)).shape == (3, 0)


def test_every_readout_is_finite_on_an_empty_image():
    assert torch.isfinite(measure(build_readouts(SECTIONS), torch.zeros(2, 1, 64, 64))).all()


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ({"readout": "probe", "target": "colour", "label": "red"}, "CV214"),
        ({"readout": "probe", "target": "shape", "label": "star"}, "CV215"),
    ],
)
def test_what_cannot_be_read_is_refused(section, code):
    with pytest.raises(CausalVAEError) as caught:
        build_readouts({"it": READOUT_TAG.read(section)})
    assert caught.value.code == code
    assert caught.value.remedy


@given(st.lists(st.floats(-20, 20), max_size=20), st.sampled_from([math.pi, 1.0, 2.5]))
def test_wrapped_differences_are_the_short_way_round(differences, period):
    plain = np.array(differences, dtype=np.float64)
    wrapped = wrap(plain, period)
    assert ((wrapped > -period / 2 - 1e-9) & (wrapped <= period / 2 + 1e-9)).all()
    turns = (plain - wrapped) / period
    assert np.allclose(turns, np.round(turns), atol=1e-9)


def test_wrap_at_the_borders():
    assert wrap(np.array([-0.5, 0.5, 0.75, -0.75, 1.0]), 1.0).tolist() == [0.5, 0.5, -0.25, 0.25, 0.0]
    assert wrap(np.array([7.0]), None).tolist() == [7.0]


def test_types_load_no_torch():
    code = "import sys, causalvae.readouts.types, causalvae.data.dataset; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
