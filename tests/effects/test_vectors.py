"""Vector outcomes: closed forms by hand, a naive loop, invariances, and the size of their tests."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.changes import VectorChanges, changes_of
from causalvae.effects.mediation import PairEffects, VectorParts, arms_of, mediation_estimates, pair_effects
from causalvae.effects.outcomes import IMAGE, Outcomes, difference
from causalvae.effects.scale import MIXED, Vector, measure_vector
from causalvae.effects.significance import mean_vector_test, t_test
from causalvae.effects.types import Estimate
from causalvae.effects.vector_means import vector_estimates
from causalvae.plan.owner import Owner
from causalvae.report.notes import notes_words
from causalvae.spec.schema import VectorSection
from tests.effects.synthetic import Array, Decode, Network, make_spec

OWNER = Owner.intervention("via")
NAMES = ("first", "second")


def raw(*names: str, periods: tuple[float | None, ...] | None = None, divisors: tuple[float, ...] = ()) -> Vector:
    return Vector(names, divisors or (1.0,) * len(names), periods or (None,) * len(names), "pixels", 1.0)


def latents(n: int = 50, seed: int = 0, width: int = 3) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, width))
    return z, z + rng.normal(0.6, 0.5, size=(n, width))


def run(
    decode: Decode, vector: Vector, z: Array, z_cf: Array, sets: tuple[int, ...] = (0,), image: object = None
) -> PairEffects:
    spec = make_spec(attributes=tuple(decode(z)), edges=())
    network = Network(spec, decode, z, z_cf, image=image)  # type: ignore[arg-type]
    network.mediation(OWNER, sets)
    plan, measurements = network.finish(shuffle=True)
    return pair_effects(Outcomes(measurements), arms_of(plan, OWNER), "pair", None, vector)


def named(estimates: list[Estimate]) -> dict[str, Estimate]:
    return {estimate.estimand: estimate for estimate in estimates}


def test_a_linear_network_of_two_attributes_by_hand() -> None:
    """Y = (z0 + z1, 2 z1), z0 the mediator, two pairs with steps (3, 0.5) and (0, 2) of (z0, z1).

    TE = (3.5, 1) and (2, 4); NIE = (3, 0) and (0, 0); NDE = (0.5, 1) and (2, 4). Along TE: NIE.TE = 10.5 and 0,
    NDE.TE = 2.75 and 20, TE.TE = 13.25 and 20. So the share is 10.5 / 33.25 and NIE + NDE = TE.
    """
    z = np.array([[1.0, -2.0], [0.5, 0.25]])
    z_cf = z + np.array([[3.0, 0.5], [0.0, 2.0]])
    effects = run(lambda z: {"first": z[:, 0] + z[:, 1], "second": 2 * z[:, 1]}, raw(*NAMES), z, z_cf)
    length = np.sqrt([13.25, 20.0])
    np.testing.assert_allclose(effects.total, length, atol=1e-12)
    np.testing.assert_allclose(effects.indirect, np.array([10.5, 0.0]) / length, atol=1e-12)
    np.testing.assert_allclose(effects.direct, np.array([2.75, 20.0]) / length, atol=1e-12)
    np.testing.assert_allclose(effects.interaction, 0, atol=1e-12)
    found = named(mediation_estimates(effects, PairedBootstrap(2), Ablation(OWNER), "pixels", sd=1.0))
    assert found["mediated_share"].value == pytest.approx(10.5 / 33.25, abs=1e-12)
    assert found["necessity"].value == pytest.approx(10.5 / 33.25, abs=1e-12)
    assert found["total_effect"].value == pytest.approx(length.mean(), abs=1e-12)
    assert found["total_effect"].p_value is None
    # Mean TE = (2.75, 2.5), mean NIE = (1.5, 0); across TE the first NIE has length |3 * 1 - 0 * 3.5| / ||TE||.
    also = named(vector_estimates(effects, PairedBootstrap(2), Ablation(OWNER), "pixels"))
    assert also["mediated_share_ratio_of_means"].value == pytest.approx(1.5 * 2.75 / (2.75**2 + 2.5**2), abs=1e-12)
    assert also["indirect_effect_turned_away"].value == pytest.approx(3 / length[0] / 2, abs=1e-12)


def test_an_interacting_network_by_hand() -> None:
    """Y = (t m, t), m the mediator, both 1 -> 2: TE = (3, 1), NIE = (1, 0), NDE = (1, 1), interaction (1, 0)."""
    z, z_cf = np.ones((4, 2)), np.full((4, 2), 2.0)
    effects = run(lambda z: {"first": z[:, 0] * z[:, 1], "second": z[:, 1]}, raw(*NAMES), z, z_cf)
    for found, product in (
        (effects.total, 10.0),
        (effects.indirect, 3.0),
        (effects.direct, 4.0),
        (effects.interaction, 3.0),
        (effects.total_indirect, 6.0),
    ):
        np.testing.assert_allclose(found, product / np.sqrt(10), atol=1e-12)


def decode_bent(z: Array) -> dict[str, Array]:
    first = np.tanh(z).sum(axis=1) ** 2
    first[np.abs(z[:, 2]) > 2.2] = np.nan
    return {"first": first, "second": 3 * z[:, 0] * z[:, 1] - z[:, 2], "turn": np.mod(z @ [2.0, 1.0, 0.5], np.pi)}


def test_a_naive_loop_gives_the_same() -> None:
    """Another route: pair by pair, with wrapped and divided components, and undefined pairs dropped."""
    z, z_cf = latents(120)
    vector = raw("first", "second", "turn", periods=(None, None, np.pi), divisors=(0.7, 3.0, 0.4))
    effects = run(decode_bent, vector, z, z_cf, (0, 2))
    arms = {name: {k: v.copy() for k, v in decode_bent(x).items()} for name, x in _four(z, z_cf, (0, 2)).items()}
    rows, dropped, away = [], 0, []
    for i in range(len(z)):
        change = {
            effect: np.array(
                [
                    _wrapped(arms[to][name][i] - arms[start][name][i], period) / divisor
                    for name, period, divisor in zip(vector.components, vector.periods, vector.divisors, strict=True)
                ]
            )
            for effect, (to, start) in {
                "TE": ("cf", "base"), "NDE": ("nec", "base"), "NIE": ("suf", "base"), "TIE": ("cf", "nec")
            }.items()
        }  # fmt: skip
        if not all(np.isfinite(part).all() for part in change.values()):
            dropped += 1
            continue
        axis = change["TE"] / np.linalg.norm(change["TE"])
        rows.append([part @ axis for part in change.values()])
        away.append(np.linalg.norm(change["NIE"] - (change["NIE"] @ axis) * axis))
    assert 0 < dropped == effects.dropped
    found = [effects.total, effects.direct, effects.indirect, effects.total_indirect]
    np.testing.assert_allclose(found, np.array(rows).T, atol=1e-12)
    also = named(vector_estimates(effects, PairedBootstrap(effects.n), Ablation(OWNER), "sd"))
    turned = also["indirect_effect_turned_away"]
    assert turned.value == pytest.approx(np.mean(away), abs=1e-12)
    assert turned.p_value is None
    assert f"{dropped} pairs excluded because their outcome is undefined" in notes_words(turned.notes)


def _four(z: Array, z_cf: Array, units: tuple[int, ...]) -> dict[str, Array]:
    suf, nec = z.copy(), z_cf.copy()
    suf[:, units], nec[:, units] = z_cf[:, units], z[:, units]
    return {"base": z, "cf": z_cf, "suf": suf, "nec": nec}


def _wrapped(change: float, period: float | None) -> float:
    return change if period is None else (change + period / 2) % period - period / 2


def decode_smooth(z: Array) -> dict[str, Array]:
    return {"first": np.tanh(z[:, 0]) * z[:, 1] + z[:, 2], "second": np.sin(z[:, 0] + z[:, 2])}


def test_the_parts_add_up_along_the_change() -> None:
    effects = run(decode_smooth, raw(*NAMES), *latents())
    whole = effects.direct + effects.indirect + effects.interaction
    np.testing.assert_allclose(whole, effects.total, atol=1e-12)
    np.testing.assert_allclose(effects.interaction, effects.total_indirect - effects.indirect, atol=1e-12)
    assert np.abs(effects.interaction).max() > 0.01


@pytest.mark.parametrize("angle", [0.3, 2.0])
def test_rotating_raw_components_changes_nothing(angle: float) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def turned(z: Array) -> dict[str, Array]:
        both = turn @ np.stack(list(decode_smooth(z).values()))
        return dict(zip(NAMES, both, strict=True))

    plain, rotated = (run(decode, raw(*NAMES), *latents()) for decode in (decode_smooth, turned))
    for name in ("total", "direct", "indirect", "total_indirect"):
        np.testing.assert_allclose(getattr(rotated, name), getattr(plain, name), atol=1e-12)
    first, second = (
        named(
            mediation_estimates(effects, PairedBootstrap(effects.n), Ablation(OWNER), "", sd=1.0)
            + vector_estimates(effects, PairedBootstrap(effects.n), Ablation(OWNER), "")
        )
        for effects in (plain, rotated)
    )
    assert set(first) == set(second)
    for name, estimate in first.items():
        assert second[name].value == pytest.approx(estimate.value, abs=1e-10), name


def test_a_vector_that_moves_in_one_component_is_that_attribute_but_for_signs() -> None:
    def decode(z: Array) -> dict[str, Array]:
        return {"first": np.tanh(z[:, 0]) * z[:, 1] + z[:, 2], "second": np.full(len(z), 3.0)}

    z, z_cf = latents()
    effects = run(decode, raw(*NAMES), z, z_cf)
    network = Network(make_spec(attributes=NAMES, edges=()), decode, z, z_cf)
    network.mediation(OWNER, (0,))
    plan, measurements = network.finish()
    scalar = pair_effects(Outcomes(measurements), arms_of(plan, OWNER), "first")
    sign = np.sign(scalar.total)
    assert {-1.0, 1.0} == set(sign)
    for name in ("total", "direct", "indirect", "total_indirect"):
        np.testing.assert_allclose(getattr(effects, name), sign * getattr(scalar, name), atol=1e-12)
    found, alone = (
        named(mediation_estimates(each, PairedBootstrap(each.n), Ablation(OWNER), "", sd=1.0))
        for each in (effects, scalar)
    )
    for name in ("mediated_share", "necessity", "mediated_share_mean_of_ratios"):
        for field in ("value", "lower", "upper", "p_value"):
            assert getattr(found[name], field) == pytest.approx(getattr(alone[name], field), abs=1e-9)
    also = named(vector_estimates(effects, PairedBootstrap(effects.n), Ablation(OWNER), ""))
    assert also["mediated_share_ratio_of_means"].value == pytest.approx(alone["mediated_share_ratio_of_means"].value)
    assert also["indirect_effect_turned_away"].value == pytest.approx(0, abs=1e-6)


def test_the_image_is_the_vector_of_its_numbers() -> None:
    z, z_cf = latents()

    def image(z: Array) -> Array:
        return np.stack(list(decode_smooth(z).values()), axis=1)

    network = Network(make_spec(attributes=NAMES, edges=()), decode_smooth, z, z_cf, image=image)
    network.mediation(OWNER, (0, 2))
    plan, measurements = network.finish()
    arms, outcomes = arms_of(plan, OWNER), Outcomes(measurements)
    vector, picture = pair_effects(outcomes, arms, "pair", None, raw(*NAMES)), pair_effects(outcomes, arms, IMAGE)
    for name in ("total", "direct", "indirect", "total_indirect"):
        np.testing.assert_allclose(getattr(vector, name), getattr(picture, name), atol=1e-12)
    several = (arms.sufficiency, arms.necessity, arms.counterfactual)
    for start in (arms.base, arms.necessity):
        found = [
            changes_of(outcomes, arms.base, arms.counterfactual, name, None, how).between(several, start, 20)
            for name, how in (("pair", raw(*NAMES)), (IMAGE, None))
        ]
        np.testing.assert_allclose(found[0], found[1], atol=1e-12)


def test_a_pair_that_the_treatment_does_not_move_has_no_direction() -> None:
    z, z_cf = latents(6)
    z_cf[0] = z[0]
    z_cf[1] = z[1] + [1.0, -1.0, 0.0]
    effects = run(lambda z: {"first": z[:, 0] + z[:, 1], "second": z[:, 2]}, raw(*NAMES), z, z_cf)
    assert effects.total[0] == effects.indirect[0] == 0
    # The mediator moves the second pair forth, the rest moves it back: of no total change nothing lies along it.
    assert effects.total[1] == effects.indirect[1] == effects.direct[1] == 0
    assert effects.parts is not None
    np.testing.assert_allclose(effects.parts.indirect[:, 1], [1.0, 0.0], atol=1e-12)


SECTION = VectorSection(components=("first", "second", "turn"))


def test_divisors_are_standard_deviations_unless_raw() -> None:
    sd = {"first": 2.0, "second": 0.5, "turn": 0.3}
    units = {"first": "pixels", "second": "pixels", "turn": "radians"}
    scaled = measure_vector(SECTION, sd, {"turn": 3.0}, units)
    assert (scaled.divisors, scaled.periods, scaled.unit) == ((2.0, 0.5, 0.3), (None, None, 3.0), "sd")
    assert scaled.sd == pytest.approx(1.0) and scaled.on_circle
    plain = measure_vector(VectorSection(components=NAMES, scale="raw"), sd, {}, units)
    assert (plain.divisors, plain.unit, plain.on_circle) == ((1.0, 1.0), "pixels", False)
    assert plain.sd == pytest.approx(np.sqrt((4 + 0.25) / 2))
    mixed = measure_vector(VectorSection(components=("first", "turn"), scale="raw"), sd, {}, units)
    assert mixed.unit == MIXED and "units differ" in notes_words(mixed.along)


def test_components_that_do_not_vary_are_left_out_and_named() -> None:
    some = measure_vector(SECTION, {"first": 2.0}, {}, {})
    assert (some.components, some.fixed) == (("first",), ("second", "turn"))
    assert "second and turn excluded: no variation over the observed samples" in notes_words(some.along)
    none = measure_vector(SECTION, {}, {}, {})
    assert none.components == SECTION.components and none.sd is None and not none.fixed


def test_shares_have_the_size_of_their_level_under_a_null() -> None:
    """The mediator moves both attributes, in directions that have nothing to do with the total change."""
    rng = np.random.default_rng(5)
    p_values: list[list[float]] = []
    for _ in range(600):
        n = 40
        total, indirect = rng.gamma(2.0, size=(2, n)) * rng.choice([-1, 1], size=(2, n)), rng.normal(size=(2, n))
        length = np.sqrt((total**2).sum(axis=0))
        along = (indirect * total).sum(axis=0) / length
        p_values.append(
            [
                float(t_test((along * length)[None]).p_two_sided[0]),
                float(t_test(along[None]).p_two_sided[0]),
                mean_vector_test(total),
            ]
        )
    rejected = (np.array(p_values) <= 0.05).mean(axis=0)
    # 600 draws: a rate of 0.05 has a standard error of 0.009.
    assert ((rejected > 0.02) & (rejected < 0.08)).all(), rejected


def test_the_share_of_the_mean_change_has_its_size_and_some_power() -> None:
    rng = np.random.default_rng(6)
    null, shown = [], []
    for _ in range(400):
        total = rng.normal([[1.0], [2.0]], 1.0, size=(2, 40))
        across = np.array([[2.0], [-1.0]]) * rng.normal(1.0, 1.0, size=40) + rng.normal(0, 0.5, size=(2, 40))
        for part, into in ((across, null), (across + 0.3 * total, shown)):
            effects = _made(total, part)
            found = named(vector_estimates(effects, PairedBootstrap(40, 40), Ablation(OWNER), ""))
            into.append(found["mediated_share_ratio_of_means"].p_value)
    # Across the mean change the share is zero, though mean NIE is not: its error has that of the direction in it.
    assert 0.02 < np.mean(np.array(null, float) <= 0.05) < 0.09
    assert np.mean(np.array(shown, float) <= 0.05) > 0.6


def _made(total: Array, part: Array) -> PairEffects:
    length = np.sqrt((total**2).sum(axis=0))
    along = (part * total).sum(axis=0) / length
    return PairEffects("pair", length, length - along, along, along, 0, "x", VectorParts(total, part, part))


def test_hotelling_is_a_t_test_in_one_dimension_and_ignores_what_repeats() -> None:
    values = np.random.default_rng(2).normal(0.3, 1.0, size=(2, 30))
    assert mean_vector_test(values[:1]) == pytest.approx(float(t_test(values[:1]).p_two_sided[0]), rel=1e-9)
    assert mean_vector_test(np.vstack([values, values[0]])) == pytest.approx(mean_vector_test(values), rel=1e-6)
    assert mean_vector_test(np.zeros((2, 5))) == 1.0
    assert mean_vector_test(np.ones((2, 5))) == pytest.approx(2 * 0.5**5)
    assert mean_vector_test(values[:, :2]) == 1.0
    steady = np.vstack([values[0] - values[0].mean(), np.full(30, 2.0)])
    assert mean_vector_test(steady) == pytest.approx(2 * 0.5**30)


def test_an_unclear_mean_change_is_said() -> None:
    rng = np.random.default_rng(8)
    for mean, unclear in ((0.0, True), (3.0, False)):
        effects = _made(rng.normal(mean, 1.0, size=(2, 30)), rng.normal(size=(2, 30)))
        found = named(vector_estimates(effects, PairedBootstrap(30, 50), Ablation(OWNER), ""))
        assert ("do not use" in notes_words(found["mediated_share_ratio_of_means"].notes)) == unclear


def test_many_arms_at_once_are_each_alone() -> None:
    network = Network(make_spec(attributes=NAMES, edges=()), decode_smooth, *latents())
    network.mediation(OWNER, (0,), (1,), (2,))
    plan, measurements = network.finish()
    clean, outcomes = arms_of(plan, OWNER), Outcomes(measurements)
    ids = [use.arm for use in plan.uses_of(OWNER, "sufficiency")]
    changes = VectorChanges(outcomes, clean.base, clean.counterfactual, raw(*NAMES, divisors=(2.0, 0.5)))
    together = changes.between(ids, clean.base, 30)
    for row, arm in zip(together, ids, strict=True):
        np.testing.assert_array_equal(row, changes.between((arm,), clean.base, 30)[0])
        parts = changes.parts(arm, clean.base, 30)
        assert (np.abs(row) <= np.sqrt((parts**2).sum(axis=0)) + 1e-12).all()
    np.testing.assert_allclose(changes.total(30), changes.between((clean.counterfactual,), clean.base, 30)[0])
    assert difference(np.ones(1), np.zeros(1)) == 1


def test_effects_of_other_pairs_are_told_apart() -> None:
    """As many pairs are left of both, and not the same: one cannot be taken from the other pair by pair."""

    def decode(z: Array) -> dict[str, Array]:
        return {"first": np.where(z[:, 0] > 90, np.nan, z.sum(axis=1)), "second": z[:, 0] * z[:, 1]}

    found = []
    for lost in (None, 5, 7):
        z, z_cf = latents(12)
        if lost is not None:
            z[lost, 0] = 100.0
        found.append(run(decode, raw(*NAMES), z, z_cf))
    joint, first, second = found
    assert (joint.dropped, first.dropped, second.dropped) == (0, 1, 1)
    assert first.n == second.n and not first.is_on_the_pairs_of(second)
    assert not first.is_on_the_pairs_of(joint) and first.is_on_the_pairs_of(first)
