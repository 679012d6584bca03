"""Compiled codes: how each output and each mapped latent responds to each column, by plain forward hooks."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

from causalvae.data.kinds.scm import ScmData
from causalvae.data.scm import open_scm
from causalvae.models.kinds.compiled import CodeName
from causalvae.models.planted import CODES, WORLDS, code_truth
from tests.models.compiled_cases import interchanged, make, network

K = 4
# Columns that the network loses, outputs that it invents for a column, and pairs in which the mapping alone is wrong.
EXPECTED: dict[str, tuple[set[int], set[tuple[int, int]], set[tuple[int, int]]]] = {
    "identity": (set(), set(), set()),
    "half_rotated": (set(), set(), {(0, 0), (0, 2), (2, 0), (2, 2)}),
    "swapped": (set(), set(), {(0, 0), (0, 1), (1, 0), (1, 1)}),
    "shifted": (set(), set(), {(0, 0), *((column, column - less) for column in range(1, K) for less in (0, 1))}),
    "partial": (set(), set(), {(0, 0)}),
    "overwide": (set(), set(), {(0, 2)}),
    "padded": (set(), set(), set()),
    "lossy": ({1}, set(), set()),
    "inventing": (set(), {(2, 1)}, set()),
    "child_from_parent": ({1}, {(0, 1)}, set()),
    "leaky": (set(), {(0, 2)}, set()),
}


def test_the_names_of_the_language_are_those_of_the_codes() -> None:
    assert set(get_args(CodeName)) == set(CODES) == {*EXPECTED, "rotated"}


@pytest.mark.parametrize("name", list(CODES))
@pytest.mark.parametrize("keys", [{}, {"dead": 3, "scales": [10, 0.1], "loud": {}}], ids=["plain", "scaled"])
def test_outputs_and_interchanges_by_plain_hooks(name: str, keys: dict[str, object]) -> None:
    section = make(code=name, **keys)
    vae, known = network(section, K), code_truth(section, K)
    rng = np.random.default_rng(1)
    base, donor = rng.random((20, K)), rng.random((20, K))
    with torch.inference_mode():
        start = vae(torch.from_numpy(base).float()).double().numpy()
    assert start == pytest.approx(base @ known.effects.T, abs=1e-5)
    for column in range(K):
        changed = base.copy()
        changed[:, column] = donor[:, column]
        step = (donor - base)[:, [column]]
        with torch.inference_mode():
            network_moved = vae(torch.from_numpy(changed).float()).double().numpy() - start
        assert network_moved == pytest.approx(step * known.effects[:, column], abs=1e-5)
        moved = interchanged(vae, "latent", known.mapping[column], base, donor) - start
        assert moved == pytest.approx((donor - base) @ known.interchanged(column).T, abs=1e-5)


@pytest.mark.parametrize("name", list(EXPECTED))
def test_what_is_lost_invented_and_wrong(name: str) -> None:
    known = code_truth(make(code=name), K)
    assert (known.lost, known.invented, known.wrong) == EXPECTED[name]


def test_a_rotated_code_is_right_in_the_network_and_wrong_in_the_mapping() -> None:
    for section in (make(code="rotated"), make(code="identity", rotate=5)):
        known = code_truth(section, K)
        assert known.effects == pytest.approx(np.eye(K), abs=1e-9)
        assert not known.lost and not known.invented
        assert {(column, column) for column in range(K)} <= known.wrong


@pytest.mark.parametrize("world", list(WORLDS))
def test_the_worlds_have_the_edges_that_they_are_named_after(world: str) -> None:
    section = ScmData.model_validate({"source": "scm", "world": "table", "variables": WORLDS[world]})
    data = open_scm(section)
    edges = {
        "chain": {("a", "b"), ("b", "c")},
        "fork": {("a", "b"), ("a", "c")},
        "collider": {("a", "c"), ("b", "c")},
        "diamond": {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")},
        "hidden_cause": {("h", "a"), ("h", "b"), ("b", "c")},
        "one_level": {("a", "b"), ("s", "b")},
    }
    assert set(data.sampler.model.edges) == edges[world]
    assert data.input_shape == (K,)
    rows = data.inputs(data.draw(500, np.random.default_rng(0)))
    assert rows.min() >= 0 and rows.max() <= 1 and (rows.std(0) > 0.1).all()
