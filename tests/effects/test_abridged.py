"""Which components results list, against exhaustive search."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.effects.abridged import abridge, abridge_screens
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.sweeps import Strongest, listed_components
from causalvae.effects.types import Estimate, ScreenedComponent, ScreenSummary
from causalvae.models.components import ComponentRef
from causalvae.plan.owner import Owner
from causalvae.plan.targets import ComponentSet


@pytest.mark.parametrize("most", [0, 1, 7, 40, 95, 96, 200])
def test_what_is_listed_fills_the_bound_and_small_sweeps_are_whole(most: int) -> None:
    sizes = {"small": (3, 2), "large": (20, 3), "other": (10, 3)}
    listed = listed_components(sizes, most)
    total = sum(listed[key] * each for key, (_, each) in sizes.items())
    assert total <= most or most == 0 == total
    if most >= 96:
        assert listed == {key: components for key, (components, _) in sizes.items()}
        return
    # One level for all: a step higher would be above the bound.
    level = max(listed.values())
    assert all(listed[key] == min(components, level) for key, (components, _) in sizes.items())
    assert sum(min(components, level + 1) * each for components, each in sizes.values()) > most


def test_the_strongest_of_parts_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=500), "b": rng.normal(size=500)}
    columns["b"][::7] = np.nan
    strongest = Strongest(40)
    for first in range(0, 500, 128):
        found = strongest.add({key: values[first : first + 128] for key, values in columns.items()}, first, 2)
    best = [set(np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")[:20]) for values in columns.values()]
    assert found == best[0] | best[1]


def test_equal_values_have_no_error_and_others_are_not_changed_by_them() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 30))
    values[::3], values[3] = 0.0, 2.5
    bootstrap = PairedBootstrap(30, 200, 0.95, 3)
    whole = bootstrap.ratio(values)
    assert (whole.lower[::3] == whole.value[::3]).all() and (whole.upper[::3] == whole.value[::3]).all()
    for k in (1, 3, 100, 199):
        alone = bootstrap.ratio(np.repeat(values[k : k + 1], 2, axis=0), np.ones((2, 30)))
        assert [whole.value[k], whole.lower[k], whole.upper[k]] == pytest.approx(
            [alone.value[0], alone.lower[0], alone.upper[0]], rel=1e-9
        )
        assert whole.kinds[k] == alone.kinds[0]


def _component(unit: int) -> ComponentSet:
    return ComponentSet((ComponentRef("latent", (unit,)),))


def test_a_perturbation_of_many_latents_is_abridged() -> None:
    owner, other = Owner.intervention("sweep"), Owner.intervention("via")
    made = [
        Estimate(name, float(value), "sd", 9, name, owner=owner, component=_component(unit), source="q")
        for unit, value in enumerate(np.random.default_rng(2).permutation(100))
        for name in ("area", "cx")
    ]
    kept = [Estimate("mediated_share", 0.5, "share", 9, "area", owner=other, component=_component(0))]
    estimates, units, (summary,) = abridge([*made, *kept], (), {owner}, most=40)
    assert {e.value for e in estimates if e.owner == owner} == set(map(float, range(90, 100)))
    assert len(estimates) == 21 and estimates[-1] == kept[0] and units == ()
    assert (summary.components, summary.listed) == (100, 10)
    assert [(layer.site, layer.mean, layer.largest) for layer in summary.layers] == [("latent", 49.5, 99.0)] * 2
    assert abridge([*made, *kept], (), {owner}, most=200) == ((*made, *kept), (), ())


def test_a_screen_of_many_candidates_is_abridged() -> None:
    candidates = tuple(
        ScreenedComponent(
            _component(k), "unit", float(k), "kept" if k % 2 else "left out", 100.0 - k if k % 2 else None
        )
        for k in range(60)
    )
    nothing = float("nan")
    screen = ScreenSummary(
        Owner.intervention("sweep"), "resize", "denoising", "interchange", "area", "sd", "attribution", 1, 8, 30, 0, 30,
        nothing, 0.0, 1.0, nothing, None, None, 0.95, 0, candidates,
    )  # fmt: skip
    (short,) = abridge_screens([screen], most=20)
    assert [each for each in short.components if each.exact is not None] == [c for c in candidates[:20] if c.exact]
    assert [each for each in short.components if each.exact is None] == [c for c in candidates[40:] if c.exact is None]
    assert short.candidates == 60
    assert abridge_screens([screen], most=60) == (screen,)
