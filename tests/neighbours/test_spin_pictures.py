"""Spins as arrows."""

from __future__ import annotations

import re

import numpy as np

from causalvae.pictures.table import TablePicture
from causalvae.spec.picture import LabelledDatum, OutputFacts, picture_of
from causalvae_neighbours.data.ising import IsingData
from causalvae_neighbours.pictures.spins import SpinsPicture

FACTS = OutputFacts(IsingData.picture, (4,))


def test_a_spin_is_an_arrow_and_its_shade_how_sure_it_is():
    data = [np.array(values, np.float32) for values in ([1, 0, 1, 0], [0.9, 0.25, 0.5, 0.0])]
    shown = [LabelledDatum(f"row {row}", "", SpinsPicture.keep(values, FACTS)) for row, values in enumerate(data)]
    change = SpinsPicture.keep_change(data[1] - data[0], FACTS)
    drawn = str(SpinsPicture.draw([*shown, LabelledDatum("change", "", change, is_change=True)], FACTS))
    assert re.findall("[↑↓·]", drawn) == list("↑↓↑↓↑↓·↓")
    shades = [float(shade) for shade in re.findall(r'fill-opacity="([\d.]+)"', drawn)]
    np.testing.assert_allclose(shades[:8], [0.75, 0.75, 0.75, 0.75, 0.6, 0.375, 0, 0.75], atol=0.006)
    np.testing.assert_allclose(shades[8:], 0.75 * np.array([0.2, 0.5, 1, 0]), atol=0.006)
    assert "row 1: 0.90, 0.25, 0.50, 0" in drawn


def test_without_their_kind_of_picture_spins_are_drawn_by_their_shape():
    assert picture_of(OutputFacts("no such kind", (4,))) is TablePicture
