"""Every level of intervention and a hypothesis, from a spec to estimates."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from causalvae.effects import EffectsResult, estimate_effects
from causalvae.effects.analysis import few_pairs_warning
from causalvae.effects.context import open_context, reached_from
from causalvae.effects.mediation import overlap, serial
from causalvae.effects.notes import Note
from causalvae.effects.outcomes import varies
from causalvae.effects.types import Estimate
from causalvae.engine.progress import Progress
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Patch
from causalvae.report.notes import notes_words
from causalvae.spec.markers import Choice
from causalvae.spec.value_source import make_source
from causalvae.spec.whole_output import WholeOutput
from tests.effects.synthetic import Array, Decode, Network, make_hypothesis, make_spec

WEIGHTS = np.array([2.0, 1.0, 0.0, 0.5])


def decode(z: Array) -> dict[str, Array]:
    return {"area": z @ WEIGHTS, "place": z[:, 2] + 0.1 * z[:, 0], "flat": np.ones(len(z))}


SPEC_PARTS = {
    "attributes": ("area", "place", "flat"),
    "interventions": (
        {"name": "shift", "latent": {"components": "latent[0]"}},
        {"name": "sweep", "activation": {"components": "latent", "by": "unit", "from": "resize", "direction": "both"}},
        {
            "name": "via",
            "mediation": {"treatment": "resize", "mediators": ["latent[0]", "latent[1]"], "outcomes": ["area"]},
        },
    ),
    "hypotheses": (make_hypothesis(),),
}


def run(
    contrast: str = "increase", step: float = 1.0, mode: str = "interchange", **estimation: object
) -> tuple[EffectsResult, Network]:
    spec = make_spec(**SPEC_PARTS, **estimation)  # type: ignore[arg-type]
    sweep = spec.interventions[2].activation
    assert sweep is not None
    object.__setattr__(sweep, "mode", Choice(mode))
    rng = np.random.default_rng(3)
    z = rng.normal(size=(40, 4))
    network = Network(spec, decode, z, z + rng.normal(step, 0.2, size=z.shape), contrast=contrast)
    network.clean(Owner.intervention("resize"))
    network.use(Owner.intervention("shift"), "base", network.run("base", z))
    for index, value in enumerate((-2.0, 2.0)):
        moved = z.copy()
        moved[:, 0] = value
        arm = network.run("base", moved, (Patch("latent", (0,), make_source("quantile", value)),))
        network.use(Owner.intervention("shift"), "perturbation", arm, "latent[0]", "unit", index)
    network.clean(Owner.intervention("sweep"))
    for index, (side, unit) in enumerate((s, u) for s in ("base", "counterfactual") for u in range(4)):
        network.use(
            Owner.intervention("sweep"), "sweep", network.patched(side, (unit,)), f"latent[{unit}]", "unit", index
        )
    network.mediation(Owner.intervention("via"), (0, 1), (0,), (1,))
    network.hypothesis("claim", (0,))
    _, measurements = network.finish(shuffle=True)
    calls: list[Progress] = []
    context = open_context(spec, measurements, WholeOutput.of((1, 1, 4)), {"area": "pixels"})
    result = estimate_effects(context, calls.append)
    assert calls == [Progress("estimate effects", done, 5, "analyses") for done in range(6)]
    return result, network


def only(result: EffectsResult, **fields: str) -> list[Estimate]:
    return [e for e in result.estimates if all(getattr(e, name) == value for name, value in fields.items())]


def test_every_level_is_estimated() -> None:
    result, network = run()
    step = network.z_cf - network.z
    (total,) = only(result, owner=Owner.intervention("resize"), estimand="total_effect", outcome="area")
    assert total.value == pytest.approx((step @ WEIGHTS).mean())
    assert (total.unit, total.treatment) == ("pixels", "resize")

    (size,) = only(result, owner=Owner.intervention("shift"), estimand="effect_size", outcome="area")
    sd = np.std(network.z @ WEIGHTS, ddof=1)
    moved = np.stack([value - network.z[:, 0] for value in (-2.0, 2.0)])
    assert size.value == pytest.approx(np.sqrt(np.mean((2 * moved) ** 2)) / sd)
    assert size.source == "quantiles -2, 2"

    for direction in ("denoising", "noising"):
        sizes = only(
            result, owner=Owner.intervention("sweep"), estimand="effect_size", outcome="area", direction=direction
        )
        assert [e.component.label for e in sizes] == [f"latent[{k}]" for k in range(4)]
        expected = np.sqrt(np.mean((step * WEIGHTS) ** 2, axis=0)) / sd
        np.testing.assert_allclose([e.value for e in sizes], expected, atol=1e-12)

    shares = only(result, owner=Owner.intervention("via"), estimand="mediated_share", outcome="area")
    assert [e.component.label for e in shares] == ["latent[0] + latent[1]", "latent[0]", "latent[1]"]
    assert shares[0].value == pytest.approx(shares[1].value + shares[2].value)
    assert len(only(result, owner=Owner.intervention("via"), estimand="total_effect", outcome="area")) == 1
    (rest,) = only(result, estimand="indirect_effect_remainder", outcome="area")
    assert rest.value == pytest.approx(0, abs=1e-12)
    assert only(result, owner=Owner.intervention("via"), estimand="mediated_share", outcome="image")


def test_intervals_over_few_pairs_are_told_of() -> None:
    result, _ = run(bootstrap=60)
    (warning,) = [text for text in result.warnings if "fewer than 50 pairs" in text]
    with_interval = [e for e in result.estimates if e.interval and e.lower != e.upper]
    assert f"{len(with_interval)} intervals are over" in warning and "the fewest: 4" in warning
    assert few_pairs_warning([replace(e, n=50) for e in with_interval]) == ()
    assert few_pairs_warning([replace(e, lower=1.0, upper=1.0) for e in with_interval]) == ()


def test_hypotheses_get_their_quantities() -> None:
    result, network = run()
    step = network.z_cf - network.z
    total, part = step @ WEIGHTS, 2 * step[:, 0]
    sd = {name: np.std(decode(network.z)[name], ddof=1) for name in ("area", "place")}
    found = {e.estimand: e for e in only(result, owner=Owner.hypothesis("claim"))}
    assert found["mediated_share"].value == pytest.approx((part * total).sum() / (total**2).sum())
    assert found["necessity"].value == pytest.approx(found["mediated_share"].value)
    assert found["total_effect"].value == pytest.approx(total.mean() / sd["area"])
    off, on = (0.1 * step[:, 0] / sd["place"]) ** 2, (part / sd["area"]) ** 2
    assert found["off_target"].value == pytest.approx(off.sum() / (off + on).sum())
    assert found["off_target"].p_value is None


def test_an_attribute_that_does_not_vary_has_no_effect_in_its_sd() -> None:
    result, _ = run()
    assert not only(result, estimand="effect_size", outcome="flat")
    (total,) = only(result, owner=Owner.intervention("resize"), estimand="total_effect", outcome="flat")
    assert total.value == 0


@pytest.mark.parametrize("level", [0.0, 1.0, 5000.0])
def test_rounding_is_no_variation(level: float) -> None:
    spec = make_spec(attributes=("area", "place"), hypotheses=(make_hypothesis(),))
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, 2))
    rounding = 1e-7 * max(1.0, level)
    network = Network(spec, lambda z: {"area": z[:, 0], "place": level + rounding * z[:, 1]}, z, z + 1)
    network.clean(Owner.intervention("resize"))
    network.hypothesis("claim", (0, 1))
    context = open_context(spec, network.finish()[1], WholeOutput.of((1, 1, 2)))
    assert set(context.scale.sd) == {"area"}
    result = estimate_effects(context)
    assert not only(result, estimand="effect_size", outcome="place")
    # Rounding of an attribute that stands still is nothing that falls off target.
    (off,) = only(result, estimand="off_target")
    assert off.value == 0


def test_what_varies() -> None:
    assert varies(1e-3, np.array([0.0, 1e-3]))
    assert not varies(float("nan"), np.array([1.0, 2.0]))
    assert not varies(float("inf"), np.array([1.0, 2.0]))
    assert not varies(0.0, np.zeros(0))
    assert varies(0.01, np.array([5000.0, np.nan])) and not varies(0.004, np.array([5000.0, np.nan]))


@pytest.mark.slow
def test_dowhy_stands_beside_the_exact_values() -> None:
    result, _ = run(dowhy=True, refute=["placebo"], simulations=5)
    pairs = [
        (
            only(result, owner=Owner.intervention("via"), outcome="area", estimand=e.estimand, component=e.component)[
                0
            ],
            e,
        )
        for e in only(result, estimator="dowhy")
    ]
    assert len(pairs) == 4
    for exact, dowhy in pairs:
        assert exact.estimator == "exact"
        assert dowhy.value == pytest.approx(exact.value, abs=1e-9)
        assert dowhy.upper - dowhy.lower > exact.upper - exact.lower  # type: ignore[operator]
    (refutation,) = result.refutations
    assert (refutation.refuter, refutation.estimand, refutation.passed) == ("placebo", "natural_indirect_effect", True)


def test_pairs_as_drawn_are_said_to_cancel_where_they_do() -> None:
    both = run("as_drawn", step=0.0)[0]
    (total,) = only(both, owner=Owner.intervention("resize"), estimand="total_effect", outcome="area")
    assert "cancel" in notes_words(total.notes)
    means = {
        e.estimand
        for e in only(both, owner=Owner.intervention("via"), outcome="area")
        if "cancel" in notes_words(e.notes)
    }
    assert {
        "total_effect",
        "natural_direct_effect",
        "natural_indirect_effect",
        "total_indirect_effect",
        "interaction",
        "indirect_effect_remainder",
    } <= means
    assert "mediated_share" not in means
    (claimed,) = only(both, owner=Owner.hypothesis("claim"), estimand="total_effect")
    assert "cancel" in notes_words(claimed.notes)
    # A size has no sign, an attribute that stands still has none, and nothing cancels where all pairs agree or are
    # ordered.
    (size,) = only(both, owner=Owner.intervention("resize"), estimand="total_effect", outcome="image")
    (flat,) = only(both, owner=Owner.intervention("resize"), estimand="total_effect", outcome="flat")
    assert size.notes == flat.notes == ()
    for same in (run("as_drawn")[0], run("increase", step=0.0)[0]):
        assert not [e for e in same.estimates if "cancel" in notes_words(e.notes)]


@pytest.mark.parametrize("mode", ["mean", "resample", "zero"])
def test_an_ablation_is_named_by_the_run_that_it_is_made_in(mode: str) -> None:
    ablated, interchanged = run(mode=mode)[0], run()[0]
    for side, direction in (("base", "denoising"), ("counterfactual", "noising")):
        here = only(ablated, owner=Owner.intervention("sweep"), direction=side)
        there = only(interchanged, owner=Owner.intervention("sweep"), direction=direction)
        # The arms are the same here, so that the numbers are: only the name differs.
        assert [e.value for e in here] == [e.value for e in there] and here
    assert not [e for e in only(ablated, owner=Owner.intervention("sweep")) if e.direction in ("denoising", "noising")]


def mediate(*sets: tuple[int, ...], decoder: Decode = decode, outcome: str = "area") -> list[Estimate]:
    mediators = [f"latent[{units[0]}]" for units in sets[1:]]
    section = {"treatment": "resize", "mediators": mediators, "outcomes": [outcome]}
    spec = make_spec(attributes=("area", "place"), interventions=({"name": "via", "mediation": section},))
    rng = np.random.default_rng(1)
    z = rng.normal(size=(40, 4))
    network = Network(spec, decoder, z, z + rng.normal(1, 0.2, size=z.shape))
    network.clean(Owner.intervention("resize"))
    network.mediation(Owner.intervention("via"), *sets)
    _, measurements = network.finish()
    return only(
        estimate_effects(open_context(spec, measurements, WholeOutput.of((1, 1, 4)))), owner=Owner.intervention("via")
    )


@pytest.mark.parametrize("sets", [((3,), (3,), (3,)), ((1, 2, 3), (1, 2, 3), (2,))])
def test_overlapping_mediators_have_no_remainder(sets: tuple[tuple[int, ...], ...]) -> None:
    found = mediate(*sets)
    assert not [e for e in found if e.estimand == "indirect_effect_remainder"]
    noted = [(e.outcome, e.component.label) for e in found if "overlap" in notes_words(e.notes)]
    joint = " + ".join(f"latent[{unit}]" for unit in sets[0])
    assert noted[0] == ("area", joint) and len(noted) == 2
    assert not [e for e in mediate((0, 1), (0,), (1,)) if "overlap" in notes_words(e.notes)]


def test_patches_that_meet() -> None:
    def arm(site: str, units: tuple[int, ...] | None, window: tuple[tuple[int, int], ...] = ()) -> Arm:
        return Arm("pairs", "base", (Patch(site, units, make_source("interchange"), window),), 3)

    assert overlap([arm("a", (1, 2)), arm("a", None)])
    assert not overlap([arm("a", (1, 2)), arm("a", (3,)), arm("b", (1,))])
    assert not overlap([arm("a", None, ((0, 2),)), arm("a", None, ((2, 4),))])
    assert overlap([arm("a", None, ((0, 3), (0, 1))), arm("a", None, ((2, 4), (0, 1)))])
    assert overlap([arm("a", None, ((0, 3),)), arm("a", None)])
    assert serial([arm("a", None), arm("b", None)]) == (Note("serial"),)
    assert serial([arm("a", (0,)), arm("a", (1,))]) == ()


def test_shares_of_an_effect_that_is_hardly_there_say_so() -> None:
    def steady(z: Array) -> dict[str, Array]:
        wide = np.where(np.arange(len(z)) % 2, 1.0, -1.0)
        return {"area": wide + 1e-5 * z[:, 0], "place": z[:, 1]}

    found = mediate((0, 1), (0,), (1,), decoder=steady)
    shares = [e for e in found if e.outcome == "area" and e.unit == "share"]
    assert shares and all("the treatment has almost no effect on this outcome" in notes_words(e.notes) for e in shares)
    (total,) = [e for e in found if e.outcome == "area" and e.estimand == "total_effect"]
    assert "almost no effect" in notes_words(total.notes)
    assert not [e for e in found if e.outcome == "image" and "hardly" in notes_words(e.notes)]
    assert not [e for e in mediate((0, 1), (0,), (1,)) if "hardly" in notes_words(e.notes)]


def test_a_single_pair_is_refused() -> None:
    spec = make_spec()
    network = Network(spec, lambda z: {"area": z[:, 0], "place": z[:, 1]}, np.ones((1, 2)), np.zeros((1, 2)))
    network.clean(Owner.intervention("resize"))
    _, measurements = network.finish()
    with pytest.raises(CausalVAEError, match="CV503"):
        estimate_effects(open_context(spec, measurements, WholeOutput.of((1, 1, 4))))


def test_a_total_effect_without_a_unit_is_refused() -> None:
    claim = make_hypothesis(expect={"total_effect": {"at_least": 0.5}})
    spec = make_spec(attributes=("area",), hypotheses=(claim,))
    network = Network(spec, lambda z: {"area": np.ones(len(z))}, np.ones((5, 2)), np.zeros((5, 2)))
    network.clean(Owner.intervention("resize"))
    network.hypothesis("claim", (0,))
    with pytest.raises(CausalVAEError, match="CV504"):
        estimate_effects(open_context(spec, network.finish()[1], WholeOutput.of((1, 1, 2))))


def test_reach_follows_edges() -> None:
    spec = make_spec(edges=("scale -> x", "x -> place"))
    assert reached_from(spec, "scale") == {"x", "place"}
    assert reached_from(spec, "place") == set()


def test_importing_effects_loads_no_heavy_library() -> None:
    code = (
        "import sys, causalvae.effects, causalvae.circuits\n"
        "print([m for m in ('torch', 'dowhy', 'sklearn', 'statsmodels') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_warning_of_few_pairs_names_the_key_that_limits_them() -> None:
    result, _ = run(bootstrap=60)
    few = [replace(e, owner=Owner.intervention("layers"), n=32) for e in result.estimates if e.interval]
    assert few_pairs_warning(few)[0].endswith("Raise data.samples.")
    assert few_pairs_warning(few, ["layers", "other"])[0].endswith("Raise `pairs` of layers.")
    assert "Raise" not in few_pairs_warning(few, exhausted=True)[0]
