"""The renderer against the original's own frames, and its true geometry against the raster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from causalvae.data.dataset import DspritesDataset
from causalvae.data.dsprites import _in_heart, render_levels, true_geometry

GIF = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dsprites.gif"
SQUARE, ELLIPSE, HEART = 0, 1, 2
UP, DOWN = list(range(6)), list(range(5, -1, -1))


def frame_levels() -> np.ndarray:
    """Levels of the 320 frames, in order: what is not swept is at 0, the scale at its largest."""

    def frames(shape, scale=(5,), orientation=(0,), x=(0,), y=(0,)):
        return [[shape, s, o, a, b] for s in scale for o in orientation for a in x for b in y]

    rise, fall = list(range(32)), list(range(31, -1, -1))
    levels = frames(HEART, scale=UP + DOWN + UP) + frames(HEART, orientation=range(40))
    levels += frames(HEART, y=rise) + frames(HEART, x=rise, y=[31])
    levels += frames(HEART, x=[31], y=fall) + frames(HEART, x=fall)
    levels += frames(HEART, scale=DOWN)
    for shape in (ELLIPSE, SQUARE):
        levels += frames(shape, scale=UP + DOWN + UP) + frames(shape, orientation=range(40)) + frames(shape, scale=DOWN)
    return np.array(levels)


@pytest.mark.skipif(not GIF.is_file(), reason="the original's frames (../shared/data/dsprites.gif) are absent")
def test_the_original_frames():
    with Image.open(GIF) as picture:
        frames = np.stack(
            [np.asarray(frame.convert("L").resize((64, 64), 0)) for frame in ImageSequence.Iterator(picture)]
        )
    original = (frames > 127).astype(np.uint8)
    levels = frame_levels()
    assert len(original) == len(levels) == 320
    wrong = (render_levels(levels) != original).sum(axis=(1, 2))
    assert wrong.sum() == 38
    assert (wrong == 0).sum() == 300
    exact = [(wrong[levels[:, 0] == shape] == 0).sum() for shape in (SQUARE, ELLIPSE, HEART)]
    assert exact == [62, 60, 178]


def test_inputs_are_the_drawn_sprites():
    dataset = DspritesDataset()
    levels = dataset.draw(20, np.random.default_rng(0))
    images = dataset.inputs(levels)
    assert tuple(images.shape) == (20, *dataset.input_shape)
    assert np.array_equal(images.numpy()[:, 0], render_levels(levels))


def test_a_shorter_draw_starts_a_longer_one():
    dataset = DspritesDataset()
    short, long = (dataset.draw(n, np.random.default_rng(5)) for n in (17, 400))
    assert np.array_equal(short, long[:17])


def test_true_geometry_is_what_a_fine_raster_measures():
    """Against a sum over points of a grid of 16 x 16 to a pixel, drawn by enlarging the sprite."""
    from causalvae.data import dsprites

    rng = np.random.default_rng(3)
    levels = DspritesDataset().draw(9, rng)
    truth = true_geometry(levels)
    values = dsprites.SPACE.values_of(levels)
    fine = (np.arange(64 * 16) + 0.5) / 16
    tests = {1.0: dsprites._in_square, 2.0: dsprites._in_ellipse, 3.0: dsprites._in_heart}
    for k, (shape, scale, angle, x, y) in enumerate(values):
        dx, dy = fine[None, :] - 16 - 32 * x, fine[:, None] - 16 - 32 * y
        u = (np.cos(angle) * dx - np.sin(angle) * dy) / scale
        v = (np.sin(angle) * dx + np.cos(angle) * dy) / scale
        rows, columns = np.nonzero(tests[shape](u, v))
        px, py = fine[columns], fine[rows]
        assert truth["area"][k] == pytest.approx(len(px) / 256, rel=0.005)
        assert truth["centroid x"][k] == pytest.approx(px.mean(), abs=0.02)
        assert truth["centroid y"][k] == pytest.approx(py.mean(), abs=0.02)
        spread, axes = np.linalg.eigh(np.cov(px, py))
        assert truth["extent minor"][k] == pytest.approx(np.sqrt(spread[0]), rel=0.01)
        assert truth["extent major"][k] == pytest.approx(np.sqrt(spread[1]), rel=0.01)
        if shape == 2.0:
            counter_clockwise = np.arctan2(-axes[1, 1], axes[0, 1])
            assert np.cos(2 * (truth["orientation"][k] - counter_clockwise)) > 0.9999
        else:
            assert np.isnan(truth["orientation"][k])


def test_hearts_are_those_whose_outline_is_looked_up_at_every_pixel():
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-20, 20, (2, 50_000))
    u[:3], v[:3] = (0.0, -1.0, -1.0), (0.0, 0.0, -0.0)
    t = np.linspace(0.0, 2 * np.pi, 16384, endpoint=False)
    x = 0.5997 * 16 * np.sin(t) ** 3
    y = -0.6619 * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) - 1.438
    outline = np.interp(np.arctan2(v, u), np.arctan2(y, x), np.hypot(x, y), period=2 * np.pi)
    np.testing.assert_array_equal(_in_heart(u, v), np.hypot(u, v) <= outline)
