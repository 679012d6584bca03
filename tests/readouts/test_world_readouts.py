"""Readouts of colours, sounds, tables and parts, against what the worlds say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from causalvae.data.kinds.pendulum import PendulumData
from causalvae.data.kinds.scm import ScmData
from causalvae.data.pairs import draw_samples
from causalvae.data.scm import open_pendulum, open_scm
from causalvae.errors import CausalVAEError
from causalvae.readouts import build_readouts, check_readouts, measure, wrap
from causalvae.readouts.foreground import find_foreground
from causalvae.readouts.sound import pitch, wave_of
from causalvae.readouts.sums import exact_sum
from causalvae.spec.readout_section import READOUT_TAG, READOUTS

SHAPES = ScmData.model_validate(
    {
        "source": "scm",
        "world": "shapes",
        "side": 40,
        "variables": {
            "shape": {"levels": ["circle", "square", "triangle", "ellipse", "cross"]},
            "size": "uniform(0.1, 0.22)",
            "x": "uniform(0.3, 0.7)",
            "y": "uniform(0.3, 0.7)",
            "angle": "uniform(0, 2 * pi)",
            "hue": "uniform(0, 1)",
            "saturation": "uniform(0.3, 1)",
            "brightness": "uniform(0.4, 1)",
            "background": "uniform(0, 0.3)",
        },
    }
)
TONES = ScmData.model_validate(
    {
        "source": "scm",
        "world": "tones",
        "variables": {
            "pitch": "uniform(110, 1500)",
            "loudness": "uniform(0.06, 1)",
            "timbre": "uniform(0, 0.9)",
            "decay": "uniform(0, 15)",
            "phase": "uniform(0, 2 * pi)",
        },
    }
)
TABLE = ScmData.model_validate(
    {
        "source": "scm",
        "world": "table",
        "variables": {"a_one": "normal(0, 1)", "a_two": "a_one + normal(0, 1)", "b": {"levels": [1, 2, 5]}},
    }
)
COLOUR = {
    "size": {"readout": "area"},
    "across": {"readout": "centroid", "axis": "x"},
    "down": {"readout": "centroid", "axis": "y"},
    "turn": {"readout": "orientation"},
    "length": {"readout": "extent", "axis": "major"},
    "width": {"readout": "extent", "axis": "minor"},
    "tint": {"readout": "hue"},
    "purity": {"readout": "saturation"},
    "light": {"readout": "brightness"},
}
SOUND = {"pitch": {"readout": "pitch"}, "volume": {"readout": "loudness"}, "centre": {"readout": "spectral_centroid"}}
PENDULUM = {
    "shade": {"readout": "area", "rows": [0.94, 1]},
    "place": {"readout": "centroid", "axis": "x", "rows": [0.94, 1]},
    "sun": {"readout": "centroid", "axis": "x", "rows": [0, 0.18]},
}


def readouts_of(sections, data, columns=None):
    sections = {name: READOUT_TAG.read(keys) for name, keys in sections.items()}
    return build_readouts(sections, data.facts(), columns)


def same(images):
    return images


@pytest.mark.parametrize(
    ("data", "opened", "sections", "least"),
    [
        (SHAPES, open_scm, COLOUR, 0.995),
        (TONES, open_scm, SOUND, 0.995),
        (TABLE, open_scm, {name: {"readout": "column", "column": name} for name in TABLE.variables}, 0.999999),
        (PendulumData(source="pendulum", side=64), open_pendulum, PENDULUM, 0.99),
    ],
    ids=["shapes", "tones", "table", "pendulum"],
)
def test_every_readout_finds_what_its_world_says(data, opened, sections, least):
    dataset = opened(data)
    checks = check_readouts(dataset, readouts_of(sections, data, dataset.columns), same, draw_samples(dataset, 200, 1))
    assert [check.attribute for check in checks] == list(sections)
    for check in checks:
        assert check.passed and check.on_inputs > least, check
        assert check.on_inputs == check.on_reconstructions


@pytest.mark.parametrize("attribute", [name for name in COLOUR if name != "turn"])
def test_a_wrong_readout_of_a_picture_fails(attribute):
    readouts = readouts_of(COLOUR, SHAPES)
    other = readouts["light" if attribute != "light" else "purity"]
    right = readouts[attribute]
    wrong = type(other)(attribute, right.name, right.unit, right.period, other.formula)
    (check,) = check_readouts(open_scm(SHAPES), {attribute: wrong}, same, draw_samples(open_scm(SHAPES), 60, 1))
    assert not check.passed


def test_readouts_are_close_to_the_truth():
    dataset = open_scm(SHAPES)
    rows = dataset.draw(200, np.random.default_rng(3))
    found = measure(readouts_of(COLOUR, SHAPES), dataset.inputs(rows)).numpy()
    truth = dataset.truth(rows)
    error = found - np.stack([truth[readout.name] for readout in readouts_of(COLOUR, SHAPES).values()], axis=1)
    largest = dict(zip(COLOUR, np.nanmax(np.abs(error), axis=0), strict=True))
    assert largest["across"] < 0.2 and largest["down"] < 0.2
    assert largest["purity"] < 0.02 and largest["light"] < 0.01
    assert np.nanmax(np.abs(wrap(error[:, 6], 1.0))) < 1e-3
    relative = error[:, 0] / truth["area"]
    assert np.nanmax(np.abs(relative)) < 0.04 and abs(np.nanmean(relative)) < 0.01
    assert np.isfinite(truth["area"]).mean() > 0.8


def test_noise_of_a_decoder_is_no_foreground():
    dataset = open_scm(SHAPES)
    rows = dataset.draw(150, np.random.default_rng(4))
    pictures = dataset.inputs(rows)
    noisy = (pictures + 0.01 * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    clean, spoiled = (measure(readouts_of(COLOUR, SHAPES), batch) for batch in (pictures, noisy))
    # Where the shape stands out by at least thirty times the noise.
    inner = (clean[:, 8] > 0.6) & (clean[:, 7] > 0.5)
    assert inner.sum() > 30
    assert ((spoiled[inner, 0] / clean[inner, 0]) - 1).abs().max() < 0.03
    assert (spoiled[inner, 1] - clean[inner, 1]).abs().max() < 0.2


def test_a_plain_picture_has_no_foreground_and_every_readout_a_number():
    plain = torch.full((3, 3, 20, 20), 0.4)
    assert (find_foreground(plain).coverage == 0).all()
    assert torch.isfinite(measure(readouts_of(COLOUR, SHAPES), plain)).all()
    assert torch.isfinite(measure(readouts_of(SOUND, TONES), torch.full((3, 1, 512), 0.5))).all()
    assert measure(readouts_of(SOUND, TONES), torch.full((2, 1, 512), 0.5)).abs().max() == 0


@pytest.mark.parametrize(("data", "sections"), [(SHAPES, COLOUR), (TONES, SOUND)], ids=["shapes", "tones"])
def test_a_row_does_not_depend_on_those_beside_it(data, sections):
    dataset = open_scm(data)
    inputs = dataset.inputs(dataset.draw(70, np.random.default_rng(5)))
    readouts = readouts_of(sections, data)
    whole = measure(readouts, inputs)
    for start, stop in ((0, 1), (1, 4), (5, 38), (3, 70)):
        assert torch.equal(measure(readouts, inputs[start:stop]), whole[start:stop])
    assert measure(readouts, inputs[:0]).shape == (0, len(sections))


@pytest.mark.parametrize(("data", "sections"), [(SHAPES, COLOUR), (TONES, SOUND)], ids=["shapes", "tones"])
def test_gradients_are_those_of_small_changes(data, sections):
    dataset = open_scm(data)
    inputs = dataset.inputs(dataset.draw(6, np.random.default_rng(6))).double()
    readouts = readouts_of(sections, data)
    direction = torch.randn(inputs.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    if data is SHAPES:
        # Only where the shape is: the background's median has no gradient elsewhere.
        direction = direction * find_foreground(inputs).coverage
    for readout in readouts.values():
        at = inputs.clone().requires_grad_()
        readout(at).sum().backward()
        assert torch.isfinite(at.grad).all()
        step = 1e-6
        beside = [readout(inputs + sign * step * direction).sum().item() for sign in (1, -1)]
        slope = (beside[0] - beside[1]) / (2 * step)
        assert (at.grad * direction).sum().item() == pytest.approx(slope, rel=1e-3, abs=1e-3), readout.name


def test_pitch_is_the_fundamental_even_where_it_is_missing_or_faint():
    t = torch.arange(1024, dtype=torch.float64) / 8000
    for frequency in (131.0, 220.5, 447.3, 802.1):
        missing = sum(torch.sin(2 * torch.pi * k * frequency * t) for k in (2, 3, 4)) / 8
        faint = (0.05 * torch.sin(2 * torch.pi * frequency * t) + torch.sin(4 * torch.pi * frequency * t)) / 4
        for wave in (missing, faint):
            found = pitch(wave_of((0.5 + 0.5 * wave)[None, None]), 8000.0)
            if wave is missing:
                assert found.item() == pytest.approx(frequency, rel=2e-3)
            else:
                assert min(abs(found.item() / frequency - k) for k in (1, 2)) < 2e-3


def test_means_columns_and_parts():
    pictures = torch.rand(5, 3, 10, 8, generator=torch.Generator().manual_seed(0))
    means = {
        "all": {"readout": "mean"},
        "green": {"readout": "mean", "channel": 1},
        "corner": {"readout": "mean", "rows": [0, 0.3], "columns": [0.5, 1]},
    }
    found = measure(readouts_of(means, SHAPES), pictures)
    expected = torch.stack(
        [part.double().flatten(1).mean(1) for part in (pictures, pictures[:, 1], pictures[:, :, :3, 4:])],
        dim=1,
    )  # fmt: skip
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)
    assert [readout.name for readout in readouts_of(means, SHAPES).values()] == [
        "mean", "mean of channel 1", "mean in rows 0 to 0.3 in columns 0.5 to 1",
    ]  # fmt: skip

    columns = {"one": {"readout": "column", "index": 1}, "both": {"readout": "column", "column": "a_*"}}
    table = torch.rand(7, 3)
    found = measure(readouts_of(columns, TABLE), table)
    torch.testing.assert_close(found[:, 0], table[:, 1].double())
    torch.testing.assert_close(found[:, 1], table[:, :2].double().mean(1), atol=1e-8, rtol=0)


def test_a_part_holds_the_light_of_its_pixels_alone():
    picture = torch.zeros(1, 1, 10, 10)
    picture[0, 0, 1, 2] = picture[0, 0, 8, 7] = 1
    parts = {
        "upper": {"readout": "centroid", "axis": "x", "rows": [0, 0.5]},
        "lower": {"readout": "centroid", "axis": "y", "rows": [0.5, 1]},
        "area": {"readout": "area", "rows": [0.5, 1], "columns": [0.6, 0.9]},
    }
    assert measure(readouts_of(parts, SHAPES), picture).tolist() == [[2.5, 8.5, 1.0]]


@pytest.mark.parametrize(
    ("section", "outputs", "code"),
    [
        ({"readout": "hue"}, torch.rand(2, 1, 8, 8), "CV227"),
        ({"readout": "pitch"}, torch.rand(2, 1, 8, 8), "CV228"),
        ({"readout": "column", "index": 3}, torch.rand(2, 3), "CV229"),
        ({"readout": "mean", "channel": 3}, torch.rand(2, 3, 8, 8), "CV229"),
        ({"readout": "mean", "rows": [0, 1]}, torch.rand(2, 3), "CV229"),
        ({"readout": "area", "rows": [0.5, 0.51]}, torch.rand(2, 1, 8, 8), "CV229"),
    ],
)
def test_outputs_that_cannot_be_read_are_refused(section, outputs, code):
    with pytest.raises(CausalVAEError) as caught:
        measure(readouts_of({"it": section}, TONES), outputs)
    assert caught.value.code == code and caught.value.remedy


def test_names_that_nobody_tells_are_refused():
    for section in ({"readout": "column", "column": "z"}, {"readout": "pitch"}):
        with pytest.raises(CausalVAEError, match="CV229"):
            build_readouts({"it": READOUT_TAG.read(section)})


def test_exact_sums_do_not_depend_on_order():
    values = torch.rand(4, 3000, dtype=torch.float64)
    shuffled = values[:, torch.randperm(3000, generator=torch.Generator().manual_seed(0))]
    assert torch.equal(exact_sum(values), exact_sum(shuffled))
    torch.testing.assert_close(exact_sum(values), values.sum(1), atol=1e-5, rtol=0)


def test_every_readout_of_the_language_can_be_built():
    keys = {
        "axis": {"centroid": "x", "extent": "major"}, "target": "shape", "label": "heart", "index": 0,
    }  # fmt: skip
    for kind in READOUTS.usable():
        needed = [key for key, field in kind.model_fields.items() if field.is_required() and key != "readout"]
        section = {"readout": kind.kind}
        for key in needed:
            value = keys[key]
            section[key] = value[kind.kind] if isinstance(value, dict) else value
        if kind.kind == "column":
            section["index"] = 0
        built = readouts_of({"it": section}, TONES)
        assert (built == {}) == (kind.kind == "latent")
