"""How single inputs and outputs are kept and drawn, and what a report says of what it cannot read."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from causalvae.pictures import _png
from causalvae.pictures.image import ImagePicture
from causalvae.pictures.numbers import NumbersPicture
from causalvae.pictures.sound import SoundPicture
from causalvae.pictures.table import TablePicture
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING
from causalvae.report.document import build_document
from causalvae.report.dose_curves import draw_curve, shared_limits
from causalvae.report.html_report import render_html
from causalvae.report.json_report import from_json_dict, render_json, to_json_dict
from causalvae.report.markdown_report import render_markdown
from causalvae.report.pair_section import PairSet, PairView, factor_words, pair_words
from causalvae.results import (
    DoseResponse,
    FactorChange,
    Frame,
    PairPictures,
    Pictures,
    Results,
    ShownPair,
    TraversalStrip,
)
from causalvae.shown_outputs import PAIR_BYTES, TRAVERSAL_BYTES, focused
from causalvae.spec.columns import Columns
from causalvae.spec.picture import Datum, LabelledDatum, OutputFacts


def pixels(datum: Datum) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(datum.png))))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_are_kept_pixel_by_pixel(channels):
    values = np.random.default_rng(0).uniform(-0.2, 1.2, (channels, 5, 7)).astype(np.float32)
    values[0, 0, 0] = np.nan
    found = pixels(ImagePicture.keep(values, OutputFacts("image", values.shape)))
    expected = np.round(np.nan_to_num(values).clip(0, 1) * 255).astype(np.uint8)
    np.testing.assert_array_equal(found, expected[0] if channels == 1 else np.moveaxis(expected, 0, -1))


def test_large_images_are_reduced():
    noise = np.random.default_rng(0).uniform(0, 1, (3, 512, 256)).astype(np.float32)
    kept = ImagePicture.keep(noise, OutputFacts("image", noise.shape))
    assert pixels(kept).shape == (_png.MOST_PIXELS, _png.MOST_PIXELS // 2, 3)
    assert ImagePicture.size(kept) < 25_000


def test_a_change_of_one_channel_is_blue_below_zero_and_orange_above():
    change = np.array([[[-0.5, 0.0, 0.25]]], np.float32)
    kept = ImagePicture.keep_change(change, OutputFacts("image", (1, 1, 3)))
    assert kept.scale == 0.5
    ((less, none, more),) = pixels(kept)
    assert less[2] > less[0]
    assert more[0] > more[2]
    assert [int(pixel[3]) for pixel in (less, none, more)] == [255, 0, 128]
    assert "Orange is an increase" in ImagePicture.change_words(OutputFacts("image", (1, 1, 3)))


def test_a_change_of_colour_is_seen_although_its_mean_is_zero():
    change = np.array([0.4, 0.0, -0.4], np.float32).reshape(3, 1, 1)
    kept = ImagePicture.keep_change(change, OutputFacts("image", (3, 1, 1)))
    np.testing.assert_array_equal(pixels(kept), [[[255, 128, 0]]])
    assert "Grey" in ImagePicture.change_words(OutputFacts("image", (3, 1, 1)))


def test_a_change_of_nothing_is_transparent():
    kept = ImagePicture.keep_change(np.zeros((1, 4, 4), np.float32), OutputFacts("image", (1, 4, 4)))
    assert kept.scale == 0
    assert not pixels(kept).any()


def test_a_sound_without_a_rate_has_no_player_and_a_long_one_is_cut():
    silent = np.full((1, 60), 0.5, np.float32)
    kept = SoundPicture.keep(silent, OutputFacts("sound", (1, 60)))
    assert not kept.wav
    assert not pixels(kept).any()
    long = np.random.default_rng(0).uniform(0, 1, (1, 60_000)).astype(np.float32)
    kept = SoundPicture.keep(long, OutputFacts("sound", (1, 60_000), rate=8000.0))
    assert SoundPicture.size(kept) < 15_000
    drawn = str(SoundPicture.draw([LabelledDatum("x", "a <sound>", kept)], OutputFacts()))
    assert drawn.count("<audio") == 1
    assert "a &lt;sound&gt;" in drawn


def test_of_many_columns_those_that_change_most_are_kept_and_of_these_a_few_are_drawn():
    names = tuple(f"gene {place}" for place in range(200))
    facts = OutputFacts("table", (200,), Columns(names, (10.0,) * 200, (2.0,) * 200))
    change = np.zeros(200, np.float32)
    change[[3, 150]] = 0.5, -0.25
    facts = focused(facts, [change])
    assert len(facts.focus) == 64
    assert {3, 150} <= set(facts.focus)
    shown = [
        LabelledDatum("x", "", TablePicture.keep(np.zeros(200, np.float32), facts)),
        LabelledDatum("patched", "", TablePicture.keep(change, facts)),
        LabelledDatum("change", "", TablePicture.keep_change(change, facts), is_change=True),
    ]
    drawn = str(TablePicture.draw(shown, facts))
    assert "gene 3: x 10.0, patched 11.0; " in drawn
    assert "gene 150: x 10.0, patched 9.50" in drawn
    assert "The 12 of 64 columns that change most." in drawn


def test_other_outputs_are_rows_of_cells():
    facts = OutputFacts("numbers", (2, 3))
    shown = [LabelledDatum("x", "", NumbersPicture.keep(np.arange(6, dtype=np.float32).reshape(2, 3), facts))]
    drawn = str(NumbersPicture.draw(shown, facts))
    assert len(drawn) < 2 * NumbersPicture.size(shown[0].datum)
    shades = [float(shade) for shade in re.findall(r'fill-opacity="([\d.]+)"', drawn)]
    assert shades == pytest.approx([0.75 * share / 5 for share in range(6)], abs=0.006)


def test_a_curve_is_drawn_on_the_axis_of_its_attribute():
    rising = DoseResponse("area", "pixels", (-2.0, 0.0, 4.0), (-3.0, 0.0, 2.0), (-1.0, 0.0, 6.0))
    flat = DoseResponse("area", "pixels", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    limits = shared_limits([rising, flat])
    assert limits == (-3.0, 6.0)
    drawn = str(draw_curve((-1.0, 0.0, 3.0), rising, limits))
    (line,) = re.findall(r'd="M([^"Z]*)" class="curve-line"', drawn)
    (x0, y0), (x1, y1), (x2, y2) = (map(float, point.split()) for point in line.split("L"))
    assert (x1 - x0) * 3 == pytest.approx(x2 - x1, abs=0.3)
    assert (y0 - y1) * 2 == pytest.approx(y1 - y2, abs=0.3)
    assert "area: −2.00 pixels at −1.00 to +4.00 pixels at 3.00" in drawn  # noqa: RUF001
    assert "nan" not in str(draw_curve((0.0, 1.0, 2.0), replace(rising, mean=(float("nan"), 1.0, 2.0)), limits))
    assert draw_curve((0.0, 1.0), DoseResponse("a", "", *[(float("nan"),) * 2] * 3), (0.0, 0.0)) is None


def with_pictures(results: Results, png: str, name: str = "scale") -> Results:
    frames = (Frame("base", Datum(png=png)), Frame("change", Datum(png=png, scale=0.5)))
    pair = ShownPair("largest", 3, (FactorChange(name, 0.5, "b<i>g"),), 2.0, 1.5, frames)
    shown = tuple(
        PairPictures((Owner.intervention(name),), edge, name, NOTHING, "base", "", "area", "pixels", 9, (pair,))
        for edge in (None, (name, "area"))
    )
    return replace(results, pictures=Pictures(OutputFacts("image", (1, 2, 2)), shown, 4))


def test_pictures_are_the_same_after_reading_them_back(plain):
    kept = ImagePicture.keep(np.ones((1, 2, 2), np.float32), OutputFacts("image", (1, 2, 2)))
    results = with_pictures(plain, kept.png)
    again = from_json_dict(to_json_dict(results))
    assert again.pictures == results.pictures
    page = render_html(build_document(again))
    assert page == render_html(build_document(results))
    assert f'src="data:image/png;base64,{kept.png}"' in page
    assert 'id="pairs-scale-area"' in page
    assert "area: x to x′ +2.00, patched +1.50 pixels" in page  # noqa: RUF001
    assert "not shown because the page would become too large: 4." in page
    words = render_markdown(build_document(again))
    assert "scale: largest effect, scale 0.500 → b&lt;i&gt;g; area: x to x′ +2.00" in words  # noqa: RUF001


def test_a_small_change_of_a_factor_has_digits_enough():
    assert factor_words(FactorChange("hue", 0.5, 0.75)) == "hue 0.500 → 0.750"
    assert factor_words(FactorChange("hue", 0.121, 0.12101)) == "hue 0.121000 → 0.121010"
    assert factor_words(FactorChange("shape", "square", "heart")) == "shape square → heart"
    assert factor_words(FactorChange("digit", 9.0, 0.0)) == "digit 9 → 0"
    assert factor_words(FactorChange("digit", 12.0, 123456.0)) == "digit 12 → 123,456"
    assert factor_words(FactorChange("pitch", 277.2, 440.0)) == "pitch 277 → 440"


def test_a_pair_whose_factors_are_equal_is_said_without_them() -> None:
    views = (
        PairView("Smallest effect", "", "area +1", ()),
        PairView("Largest effect", "digit 1 → 2", "b", ()),
    )
    assert list(pair_words(PairSet("", "layers", "", views))) == [
        "layers: smallest effect; area +1.",
        "layers: largest effect, digit 1 → 2; b.",
    ]


def test_what_is_no_picture_is_not_shown_and_names_are_escaped(plain):
    page = render_html(build_document(with_pictures(plain, '"><script>', '"><script>')))
    assert "<script>alert" not in page
    assert '"><script>' not in page
    assert "no image" in page


def test_latents_without_room_for_pictures_are_counted(plain):
    response = DoseResponse("area", "", (-1.0, 0.0, 1.0), (-1.0, 0.0, 1.0), (-1.0, 0.0, 1.0))
    strips = tuple(
        TraversalStrip(
            f"latent[{place}]", place, (0.1, 0.5, 0.9), images, (0.0, 1.0, 2.0), (), strength, 4, (response,)
        )
        for place, (images, strength) in enumerate((((), 1.0), (plain.traversals[0].images[:3], 2.0)))
    )
    strips = (*strips, TraversalStrip("latent[2]", 2, (0.1,), (), (0.0,), (), 1e-9, 4, (response,)))
    page = render_html(build_document(replace(plain, traversals=strips)))
    assert "Latents that change nothing: latent[2]." in page
    assert page.index("latent[1] ") < page.index("latent[0] ")
    assert "Latents without pictures, so that the page stays small: 1." in page


def test_the_most_pictures_that_a_run_may_keep_leave_the_page_small(plain):
    frame = Frame("decoded", Datum(png=base64.b64encode(bytes(PAIR_BYTES // (60 * 3 * 6) * 3 // 4)).decode()))
    pairs = tuple(
        ShownPair(choice, 3, (FactorChange("scale", 0.5, 1.0),), 2.0, 1.5, (frame,) * 6)
        for choice in ("largest", "smallest", "typical")
    )
    shown = PairPictures((Owner.intervention("a"),), None, "a", NOTHING, "base", "", "area", "pixels", 9, pairs)
    step = base64.b64encode(bytes(TRAVERSAL_BYTES // (32 * 9) * 3 // 4)).decode()
    curve = tuple(float(place) for place in range(9))
    responses = tuple(DoseResponse(f"attribute_{place}", "pixels", curve, curve, curve) for place in range(20))
    quantiles = tuple(place / 10 for place in range(9))
    strips = tuple(
        TraversalStrip(f"latent[{place}]", place, quantiles, (step,) * 9, curve, (), 1.0, 16, responses)
        for place in range(32)
    )
    most = replace(plain, traversals=strips, pictures=Pictures(OutputFacts("image", (1, 64, 64)), (shown,) * 60, 4))
    none = replace(plain, traversals=())
    assert len(render_html(build_document(most))) - len(render_html(build_document(none))) < 1_100_000
    assert len(render_json(most)) - len(render_json(none)) < 1_500_000


@pytest.mark.parametrize(
    "facts",
    [
        OutputFacts("table", (10**12,)),
        OutputFacts("table", (10**12,), focus=(0,)),
        OutputFacts("table", (3,)),
        OutputFacts("table", (1,), focus=(9,)),
        OutputFacts("table", (1,), focus=(-9,)),
    ],
)
def test_facts_that_do_not_fit_the_numbers_give_words(facts: OutputFacts) -> None:
    drawn = TablePicture.draw([LabelledDatum("x", "x", Datum(numbers=(1.0,)))], facts)
    assert "no columns" in drawn and "<svg" not in drawn
