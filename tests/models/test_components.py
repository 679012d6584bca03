"""Addresses against a network's components."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalvae.errors import CausalVAEError
from causalvae.models.components import Component, ComponentMap, Site
from causalvae.spec.address import parse_address


def site(name: str, shape: tuple[int, ...], leaf: bool = True) -> Site:
    stage = name.split(".")[0]
    return Site(name, stage, "Kind", shape, name, leaf, 0.5)  # type: ignore[arg-type]


MAP = ComponentMap(
    (
        site("encoder.conv1@pre", (8, 6, 6)),
        site("encoder.conv1", (8, 6, 6)),
        site("encoder.conv2", (8, 3, 3)),
        site("encoder.block.lin", (5,)),
        site("encoder.block.lin#2", (5,)),
        site("encoder.block.lin#2@pre", (5,)),
        site("encoder.block", (5,), leaf=False),
        site("encoder", (20,), leaf=False),
        site("latent", (10,)),
        site("latent.logvar", (10,)),
        site("decoder.0", (12,)),
        site("decoder.1", (2, 6, 6)),
    ),
    10,
    "m",
)


def names(address: str) -> list[str]:
    return [component.site.name for component in MAP.resolve(address)]


@pytest.mark.parametrize(
    ("address", "name", "units", "window"),
    [
        ("latent", "latent", None, ()),
        ("latent[3]", "latent", (3,), ()),
        ("latent[0:3]", "latent", (0, 1, 2), ()),
        ("latent[7:]", "latent", (7, 8, 9), ()),
        ("latent[:2]", "latent", (0, 1), ()),
        ("latent[4, 2, 4]", "latent", (2, 4), ()),
        ("latent[0:2, 5]", "latent", (0, 1, 5), ()),
        ("latent[:]", "latent", None, ()),
        ("latent[0:10]", "latent", None, ()),
        (" latent[3] ", "latent", (3,), ()),
        ("latent.logvar[9]", "latent.logvar", (9,), ()),
        ("encoder.conv1@pre[1]", "encoder.conv1@pre", (1,), ()),
        ("encoder.conv1[:, 1:4, 2:6]", "encoder.conv1", None, ((1, 4), (2, 6))),
        ("encoder.conv1[:, 1:4]", "encoder.conv1", None, ((1, 4),)),
        ("encoder.conv1[:, :, 2]", "encoder.conv1", None, ((0, 6), (2, 3))),
        ("encoder.conv1[4, 7; 1:4, 2:6]", "encoder.conv1", (4, 7), ((1, 4), (2, 6))),
        ("encoder.conv1[:; 1:4, 2:6]", "encoder.conv1", None, ((1, 4), (2, 6))),
        ("encoder.block.lin#2[1]", "encoder.block.lin#2", (1,), ()),
        ("encoder.block.lin#2@pre", "encoder.block.lin#2@pre", None, ()),
        ("encoder.block", "encoder.block", None, ()),
        ("decoder.0[11]", "decoder.0", (11,), ()),
    ],
)
def test_addresses_find_their_component(
    address: str, name: str, units: tuple[int, ...] | None, window: tuple[tuple[int, int], ...]
) -> None:
    (found,) = MAP.resolve(address)
    assert (found.site.name, found.units, found.window) == (name, units, window)
    assert MAP.resolve(parse_address(address)) == (found,)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("encoder.*", ["encoder.conv1", "encoder.conv2"]),
        ("encoder.**", ["encoder.conv1", "encoder.conv2", "encoder.block.lin", "encoder.block.lin#2"]),
        ("encoder.conv*", ["encoder.conv1", "encoder.conv2"]),
        ("encoder.*.lin", ["encoder.block.lin", "encoder.block.lin#2"]),
        ("**.lin", ["encoder.block.lin", "encoder.block.lin#2"]),
        ("encoder.**@pre", ["encoder.conv1@pre", "encoder.block.lin#2@pre"]),
        ("encoder.**#2", ["encoder.block.lin#2"]),
        ("latent.*", ["latent.logvar"]),
        ("decoder.*", ["decoder.0", "decoder.1"]),
    ],
)
def test_wildcards_choose_leaves_in_network_order(pattern: str, expected: list[str]) -> None:
    assert names(pattern) == expected


def test_a_wildcard_with_a_selector_selects_in_each_site() -> None:
    assert [found.units for found in MAP.resolve("encoder.conv*[0, 7]")] == [(0, 7), (0, 7)]
    with pytest.raises(CausalVAEError) as caught:
        MAP.resolve("encoder.**[0, 7]")
    assert caught.value.code == "CV302"
    assert "encoder.block.lin" in caught.value.message


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("latent[", "CV300"),
        ("latent[]", "CV300"),
        ("latent[-1]", "CV300"),
        ("latent[1.5]", "CV300"),
        ("latent#0", "CV300"),
        ("", "CV300"),
        ("3latent", "CV300"),
        ("latent[0] extra", "CV300"),
        ("encoder.conv3", "CV301"),
        ("encoder.conv1#2", "CV301"),
        ("encoder.conv2@pre", "CV301"),
        ("decoder.lin*", "CV301"),
        ("encoder.**#3", "CV301"),
        ("latent[10]", "CV302"),
        ("latent[3:3]", "CV302"),
        ("latent[5:2]", "CV302"),
        ("latent[0:11]", "CV302"),
        ("latent[:, 0:1]", "CV302"),
        ("encoder.conv1[:, 0:7, 0:6]", "CV302"),
        ("encoder.conv1[:, 0:6, 0:6, 0:1]", "CV302"),
        ("encoder.conv1[8; 0:2, 0:2]", "CV302"),
        ("encoder.conv1[0:2, 1:3, 1:3]", "CV312"),
    ],
)
def test_wrong_addresses_have_codes(address: str, code: str) -> None:
    with pytest.raises(CausalVAEError) as caught:
        MAP.resolve(address)
    assert caught.value.code == code
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("encoder.conv3", "encoder.conv1"),
        ("encoder.conv1@post", ""),
        ("encoder.blok.lin", "encoder.block.lin"),
        ("decoder", "decoder.0"),
        ("lattent", "latent"),
        ("Encoder.conv1", "encoder.conv1"),
    ],
)
def test_wrong_names_suggest_right_ones(wrong: str, right: str) -> None:
    with pytest.raises(CausalVAEError) as caught:
        MAP.resolve(wrong)
    assert right in caught.value.remedy


def test_the_range_of_a_selector_is_in_the_message() -> None:
    with pytest.raises(CausalVAEError) as caught:
        MAP.resolve("latent[10]")
    assert "0 to 9" in caught.value.remedy
    with pytest.raises(CausalVAEError) as caught:
        MAP.resolve("encoder.conv1[:, 0:7, 0:6]")
    assert "8 x 6 x 6" in caught.value.message


@given(
    st.none() | st.lists(st.integers(0, 7), unique=True, min_size=1, max_size=7).map(lambda u: tuple(sorted(u))),
    st.lists(st.tuples(st.integers(0, 2), st.integers(3, 6)), max_size=2).map(tuple),
)
def test_a_label_is_an_address_of_its_component(
    units: tuple[int, ...] | None, window: tuple[tuple[int, int], ...]
) -> None:
    component = Component(MAP.site("encoder.conv1"), units, window)
    assert MAP.resolve(component.label) == (component,)
    assert component.size == (8 if units is None else len(units))


def test_digests_follow_names_and_shapes() -> None:
    assert MAP.digest == ComponentMap(MAP.sites, 10, "another").digest
    assert MAP.digest != ComponentMap(MAP.sites[1:], 10, "m").digest
