"""Worlds: what they show of variables, and conditions appended to any of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from causalvae.data.dataset import open_dataset
from causalvae.data.kinds.dsprites import DspritesData
from causalvae.data.kinds.pendulum import PendulumData
from causalvae.data.kinds.scm import ScmData
from causalvae.data.pendulum import PendulumWorld, bob_at
from causalvae.data.scm import open_scm
from causalvae.data.shapes_world import ShapesWorld, hsv_to_rgb
from causalvae.data.tones import GAIN, HARMONICS, TonesWorld
from causalvae.errors import CausalVAEError
from causalvae.spec.worlds import SHAPE_KINDS, WORLDS

N = 60
RNG = np.random.default_rng(0)


def shapes(**changed):
    rng = np.random.default_rng(1)
    values = {
        "shape": np.arange(N) % 5 + 0.0,
        "size": rng.uniform(0.1, 0.2, N),
        "x": rng.uniform(0.35, 0.65, N),
        "y": rng.uniform(0.35, 0.65, N),
        "angle": rng.uniform(0, 2 * np.pi, N),
        "hue": rng.random(N),
        "saturation": rng.uniform(0.3, 1, N),
        "brightness": rng.uniform(0.5, 1, N),
        "background": rng.uniform(0, 0.3, N),
    }
    assert set(values) == {variable.name for variable in WORLDS["shapes"]}
    return values | {name: np.broadcast_to(np.asarray(value, float), (N,)) for name, value in changed.items()}


def test_shapes_have_the_colour_of_their_variables_inside_and_the_background_outside():
    values = shapes()
    pictures = ShapesWorld(64).render(values)
    assert pictures.shape == (N, 3, 64, 64) and pictures.dtype == np.float32
    assert pictures.min() >= 0 and pictures.max() <= 1
    at = (np.arange(N), slice(None), (values["y"] * 64).astype(int), (values["x"] * 64).astype(int))
    colours = hsv_to_rgb(values["hue"], values["saturation"], values["brightness"])
    np.testing.assert_allclose(pictures[at], colours, atol=1e-6)
    np.testing.assert_allclose(pictures[:, :, 0, 0], values["background"][:, None].repeat(3, 1), atol=1e-6)


def test_colours_are_those_of_the_hexcone_model():
    import colorsys

    hue, saturation, brightness = RNG.random((3, 200))
    expected = [colorsys.hsv_to_rgb(*colour) for colour in zip(hue, saturation, brightness, strict=True)]
    np.testing.assert_allclose(hsv_to_rgb(hue, saturation, brightness), expected, atol=1e-12)


def test_the_soft_edge_covers_what_finer_pixels_cover():
    """Coverage of each pixel against the share of 8 x 8 points in it that lie inside, shape by shape."""
    white = {"hue": 0, "saturation": 0, "brightness": 1, "background": 0}
    values = {name: column[:20] for name, column in shapes(**white).items()}
    soft = ShapesWorld(32).render(values)[:, 0]
    hard = (ShapesWorld(32 * 8).render(values)[:, 0] > 0.5).reshape(20, 32, 8, 32, 8).mean(axis=(2, 4))
    assert np.abs(soft - hard).mean() < 0.004
    np.testing.assert_allclose(soft.sum((1, 2)), hard.sum((1, 2)), rtol=0.04)
    for kind in range(5):
        chosen = values["shape"] == kind
        assert np.abs(soft[chosen] - hard[chosen]).max() < 0.36, SHAPE_KINDS[kind]


@pytest.mark.parametrize("kind", range(5))
def test_a_turn_is_counter_clockwise_and_about_the_centre(kind):
    still = shapes(shape=kind, angle=0.0, x=0.5, y=0.5)
    turned = shapes(shape=kind, angle=np.pi / 2, x=0.5, y=0.5)
    world = ShapesWorld(64)
    np.testing.assert_allclose(np.rot90(world.render(still), 1, axes=(2, 3)), world.render(turned), atol=2e-5)


def test_a_picture_does_not_depend_on_those_beside_it():
    values = shapes()
    world = ShapesWorld(48)
    alone = [world.render({name: column[i : i + 1] for name, column in values.items()}) for i in range(7)]
    np.testing.assert_array_equal(np.concatenate(alone), world.render(values)[:7])


def tones(**changed):
    rng = np.random.default_rng(2)
    values = {
        "pitch": rng.uniform(110, 1200, N),
        "loudness": rng.uniform(0.1, 1, N),
        "timbre": rng.uniform(0, 1, N),
        "decay": rng.uniform(0, 15, N),
        "phase": rng.uniform(0, 6, N),
    }
    assert set(values) == {variable.name for variable in WORLDS["tones"]}
    return values | {name: np.full(N, float(value)) for name, value in changed.items()}


def test_tones_are_the_sum_that_they_say():
    values = tones()
    sounds = TonesWorld(512, 8000.0).render(values)
    assert sounds.shape == (N, 1, 512) and sounds.min() >= 0 and sounds.max() <= 1
    for i in (0, 7, 31):
        pitch, loudness, timbre, decay, phase = (values[name][i] for name in values)
        heard = [k for k in range(1, HARMONICS + 1) if k * pitch < 4000]
        size = np.sqrt(sum(timbre ** (2 * (k - 1)) for k in heard))
        for at in (0, 3, 100, 511):
            t = at / 8000
            wave = sum(timbre ** (k - 1) / size * np.sin(k * (2 * np.pi * pitch * t + phase)) for k in heard)
            assert sounds[i, 0, at] == pytest.approx(0.5 + 0.5 * GAIN * loudness * np.exp(-decay * t) * wave, abs=1e-6)


def test_the_loudest_tone_does_not_clip():
    sounds = TonesWorld(1024, 8000.0).render(tones(loudness=1, timbre=1, decay=0))
    assert 0.02 < sounds.min() < sounds.max() < 0.98


def test_the_pendulum_is_drawn_where_its_variables_say():
    world = PendulumWorld(96)
    theta = RNG.uniform(-0.6, 0.6, N)
    values = {
        "pendulum": theta,
        "light": RNG.uniform(1.2, 1.9, N),
        "shade_length": RNG.uniform(3, 8, N),
        "shade_position": RNG.uniform(6, 14, N),
    }
    pictures = world.render(values)
    x, y = bob_at(theta)
    at = (np.arange(N), slice(None), world.row_of(y).astype(int), world.column_of(x).astype(int))
    np.testing.assert_allclose(pictures[at], np.broadcast_to([178 / 255, 34 / 255, 34 / 255], (N, 3)), atol=1e-6)
    ground = pictures[:, :, 94, :].mean(axis=1)
    np.testing.assert_allclose((1 - ground).sum(axis=1), values["shade_length"] / 22 * 96, atol=0.3)
    assert pictures.min() >= -1e-6 and pictures.max() <= 1 and np.median(pictures) == 1


def scm(world, variables, **keys):
    return ScmData.model_validate({"source": "scm", "world": world, "variables": variables, **keys})


def test_variables_that_are_not_declared_have_their_defaults():
    dataset = open_scm(scm("shapes", {"size": "uniform(0.1, 0.2)"}, side=32))
    rows = dataset.draw(4, np.random.default_rng(0))
    expected = ShapesWorld(32).render(
        {
            name: np.repeat(value, 4)
            for name, value in {
                "shape": 0.0, "x": 0.5, "y": 0.5, "angle": 0.0, "hue": 0.0, "saturation": 1.0, "brightness": 1.0,
                "background": 0.0,
            }.items()
        }
        | {"size": dataset.values(rows)[:, 0]}
    )  # fmt: skip
    np.testing.assert_array_equal(dataset.inputs(rows).numpy(), expected)
    assert dataset.inputs(rows).dtype == torch.float32


def test_levels_name_what_is_drawn_in_any_order_and_hidden_variables_are_not_shown():
    dataset = open_scm(
        scm(
            "shapes",
            {
                "shape": {"levels": ["cross", "circle"]},
                "hue": {"equation": "0.5", "hidden": True},
                "size": "0.1 + 0.1 * hue",
            },
        )
    )
    rows = dataset.draw(20, np.random.default_rng(0))
    cross = dataset.values(rows)[:, 0] == 0
    expected = shapes(
        shape=np.where(np.resize(cross, N), 4, 0),
        size=0.15,
        x=0.5,
        y=0.5,
        angle=0,
        hue=0,
        saturation=1,
        brightness=1,
        background=0,
    )
    np.testing.assert_allclose(dataset.inputs(rows).numpy(), ShapesWorld(64).render(expected)[:20], atol=1e-6)


def test_do_beyond_what_can_be_shown_shows_the_nearest():
    dataset = open_scm(scm("shapes", {"size": "uniform(0.1, 0.2)", "shape": {"levels": ["circle", "square"]}}))
    rows = dataset.draw(3, np.random.default_rng(0))
    huge = dataset.intervene(rows, "size", np.full(3, 9.0), "hold")
    most = dataset.intervene(rows, "size", np.full(3, 0.5), "hold")
    assert dataset.values(huge)[0, 0] == 9.0
    assert torch.equal(dataset.inputs(huge), dataset.inputs(most))


def test_a_table_is_scaled_by_ranges_or_to_standard_scores():
    variables = {
        "group": {"levels": ["a", "b", "c"]},
        "dose": "uniform(2, 6)",
        "secret": {"equation": "normal(0, 1)", "hidden": True},
        "answer": "3 * dose + 2 * secret + normal(0, 1)",
    }
    dataset = open_scm(scm("table", variables))
    rows = dataset.draw(4000, np.random.default_rng(0))
    values, inputs = dataset.values(rows), dataset.inputs(rows).numpy()
    assert dataset.input_shape == (3,) and scm("table", variables).facts().columns == ("group", "dose", "answer")
    np.testing.assert_allclose(inputs[:, 0], values[:, 0] / 2, atol=1e-6)
    np.testing.assert_allclose(inputs[:, 1], (values[:, 1] - 2) / 4, atol=1e-6)
    assert inputs.min() >= 0 and inputs.max() <= 1
    assert ((inputs[:, 2] > 0) & (inputs[:, 2] < 1)).mean() > 0.99
    standard = open_scm(scm("table", variables, scale="standard"))
    scores = standard.inputs(standard.draw(4000, np.random.default_rng(0))).numpy()
    np.testing.assert_allclose(scores[:, 1:].mean(0), 0, atol=0.1)
    np.testing.assert_allclose(scores[:, 1:].std(0), 1, atol=0.06)
    assert np.corrcoef(scores[:, 2], values[:, 3])[0, 1] == pytest.approx(1)


@pytest.mark.parametrize(
    "section",
    [
        scm(
            "shapes",
            {"shape": {"levels": ["circle", "cross"]}, "size": "uniform(0.1, 0.2)", "x": {"levels": [0.3, 0.4, 0.7]}},
        ),
        scm("tones", {"pitch": "uniform(200, 400)", "mood": "normal(0, 1)", "loudness": "sigmoid(mood)"}),
        scm("table", {"a": "normal(0, 1)", "b": {"equation": "a + normal(0, 1)", "range": [-5, 5]}}),
        PendulumData(source="pendulum", side=64),
    ],
    ids=["shapes", "tones", "table", "pendulum"],
)
def test_the_catalogue_knows_what_the_data_is(section, tmp_path: Path):
    dataset, known = open_dataset(section, tmp_path), section.facts()
    assert known is not None and known.structural
    assert known.input_shape == dataset.input_shape
    assert known.names == dataset.space.names
    for entry, factor in zip(known.factors, dataset.space.factors, strict=True):
        assert (entry.kind, entry.levels, entry.labels) == (factor.kind, factor.size, factor.labels)
        assert (entry.low, entry.high) == (factor.values[0], factor.values[-1])
        assert entry.values == (() if factor.is_continuous else factor.values)
    assert dataset.size is None
    assert dataset.inputs(dataset.draw(2, np.random.default_rng(0))).shape == (2, *dataset.input_shape)
    assert dataset.describe()["input_shape"] == list(dataset.input_shape)


def test_a_condition_is_appended_in_planes(tmp_path: Path):
    section = DspritesData(source="dsprites", condition=("shape", "orientation", "x"))
    plain = open_dataset(DspritesData(source="dsprites"), tmp_path)
    dataset = open_dataset(section, tmp_path)
    rows = dataset.draw(30, np.random.default_rng(0))
    inputs, values = dataset.inputs(rows), dataset.values(rows)
    assert inputs.shape == (30, 7, 64, 64) == (30, *dataset.input_shape)
    assert torch.equal(inputs[:, :1], plain.inputs(rows))
    labels = inputs[:, 1:]
    assert torch.equal(labels, labels[:, :, :1, :1].expand_as(labels))
    numbers = labels[:, :, 0, 0].numpy()
    np.testing.assert_array_equal(numbers[:, :3], np.eye(3)[values[:, 0].astype(int) - 1])
    np.testing.assert_allclose(2 * numbers[:, 3] - 1, np.cos(values[:, 2]), atol=1e-6)
    np.testing.assert_allclose(2 * numbers[:, 4] - 1, np.sin(values[:, 2]), atol=1e-6)
    np.testing.assert_allclose(numbers[:, 5], values[:, 3], atol=1e-6)
    changed = dataset.inputs(dataset.intervene(rows, "shape", np.full(30, 2.0), "hold"))
    np.testing.assert_array_equal(changed[:, 1:4, 5, 5].numpy(), np.tile([0, 1, 0], (30, 1)))


def test_a_condition_of_tables_is_columns_and_an_unknown_factor_is_refused(tmp_path: Path):
    variables = {"group": {"levels": ["a", "b"]}, "dose": "uniform(2, 6)"}
    dataset = open_dataset(scm("table", variables, condition=["group", "dose"]), tmp_path)
    rows = dataset.draw(10, np.random.default_rng(0))
    inputs = dataset.inputs(rows).numpy()
    assert inputs.shape == (10, 5)
    np.testing.assert_array_equal(inputs[:, 2:4], np.eye(2)[dataset.values(rows)[:, 0].astype(int)])
    np.testing.assert_allclose(inputs[:, 4], inputs[:, 1], atol=1e-6)
    with pytest.raises(CausalVAEError, match="CV222"):
        open_dataset(DspritesData(source="dsprites", condition=("colour",)), tmp_path)
