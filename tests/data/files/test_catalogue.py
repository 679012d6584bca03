"""What the catalogue says of official data in files, before they are opened, holds together."""

from __future__ import annotations

import math

import pytest

from causalvae.spec.data_section import DATA

SECTIONS = [
    ({"source": "shapes3d"}, (10, 10, 10, 8, 4, 15), 480_000),
    ({"source": "mpi3d"}, (6, 6, 2, 3, 3, 40, 40), 1_036_800),
    ({"source": "mpi3d", "variant": "complex"}, (4, 4, 2, 3, 3, 40, 40), 460_800),
    ({"source": "smallnorb"}, (5, 10, 9, 18, 6), 48_600),
    ({"source": "smallnorb", "part": "testing"}, (5, 5, 9, 18, 6), 24_300),
    ({"source": "cars3d"}, (4, 24, 183), 17_568),
    ({"source": "celeba"}, (2,) * 40, None),
]


@pytest.mark.parametrize(("keys", "sizes", "images"), SECTIONS, ids=lambda value: str(value)[:40])
def test_sizes_are_those_that_were_published(keys, sizes, images):
    known = DATA.get(keys["source"]).model_validate({"path": "somewhere", **keys}).facts()
    assert known is not None
    assert tuple(factor.levels for factor in known.factors) == sizes
    if images is not None:
        assert math.prod(sizes) == images
    for factor in known.factors:
        assert len(factor.values) == factor.levels
        assert factor.labels == () or len(factor.labels) == factor.levels
        assert all(factor.level_of(label) == level for level, label in enumerate(factor.labels))
        assert factor.settable == (keys["source"] != "celeba")


def test_where_only_the_file_tells_the_values_any_number_may_be_one():
    known = DATA.get("shapes3d").model_validate({"source": "shapes3d", "path": "3dshapes.h5"}).facts()
    assert known is not None
    scale, shape = known.factor("scale"), known.factor("shape")
    assert scale is not None
    assert scale.level_of(0.8928) is not None
    assert shape is not None
    assert shape.level_of("sphere") == 2
    assert shape.level_of("torus") is None


@pytest.mark.parametrize("source", ["csv", "parquet", "npz", "images"])
def test_of_the_users_own_data_nothing_is_known(source):
    assert DATA.get(source).model_validate({"source": source, "path": "mine"}).facts() is None
