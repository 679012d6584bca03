"""A world of independent factors on small grids, seen through a perfect network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.alignment.worlds import Factors, Read, Run, World, identity, run_world

LEVELS = {"shape": np.array([1.0, 2.0, 3.0]), "scale": np.linspace(0.5, 1, 6), "x": np.linspace(0, 1, 8)}
KINDS = {"shape": "categorical", "scale": "ordinal", "x": "ordinal"}
DECLARED = ("shape -> area", "scale -> area", "x -> centre")


def area(factors: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
    return 10 * factors["scale"] ** 2 * (1 - 0.25 * (factors["shape"] > 2.5)) + 0.3 * noise * factors["scale"]


def centre(factors: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
    return np.tanh(3 * (factors["x"] - 0.5)) + 0.1 * noise


MECHANISMS: dict[str, Read] = {"area": area, "centre": centre}


def grid_world(mechanisms: Mapping[str, Read] = MECHANISMS, factors: Sequence[str] = tuple(LEVELS)) -> World:
    def level(name: str):
        def draw(_: Factors, noise: np.ndarray) -> np.ndarray:
            return LEVELS[name][(noise * len(LEVELS[name])).astype(int)]

        return draw

    return World({name: level(name) for name in factors}, mechanisms, KINDS)


def run_planted(
    *,
    mechanisms: Mapping[str, Read] = MECHANISMS,
    declared: Sequence[str] = DECLARED,
    factors: Sequence[str] = tuple(LEVELS),
    mapped: Sequence[str] | None = None,
    **settings: Any,
) -> Run:
    mapping = {name: (i,) for i, name in enumerate(factors) if mapped is None or name in mapped}
    network = identity(factors, mapping=mapping)
    return run_world(grid_world(mechanisms, factors), network, declared, **settings)
