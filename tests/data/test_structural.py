"""Structural models: what is drawn, and what do() makes of it, against the equations in a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from causalvae.data.kinds.pendulum import PendulumData
from causalvae.data.kinds.scm import ScmData
from causalvae.data.others import Release
from causalvae.data.pairs import draw_pairs
from causalvae.data.scm import open_pendulum, open_scm
from causalvae.data.structural import ARRAY, Sampler
from causalvae.errors import CausalVAEError
from causalvae.spec.expression import DISTRIBUTIONS as LANGUAGE
from causalvae.spec.expression import FUNCTIONS, parse_expression
from causalvae.spec.scalar_functions import SCALAR
from causalvae.spec.scm_compile import compile_variables
from causalvae.spec.terms import evaluate

VARIABLES = {
    "kind": {"levels": {"red": 0.5, "green": 0.3, "blue": 0.2}},
    "step": {"levels": [1, 2, 4]},
    "coin": {
        "levels": ["heads", "tails"],
        "given": ["kind", "step"],
        "table": {
            "red": {"1": [0.9, 0.1], "2": [0.5, 0.5], "4": [0.0, 1.0]},
            "green": {"1": [0.2, 0.8], "2": [0.5, 0.5], "4": [0.6, 0.4]},
            "blue": {"1": {"tails": 1.0}, "2": [1.0, 0.0], "4": [0.3, 0.7]},
        },
    },
    "base": "uniform(1, 3)",
    "noisy": "2 * base + normal(0, 0.5) * step",
    "bent": {
        "equation": "case(kind, red=exp(-base), green=log(base), blue=0) + (0.2 if coin == 'heads' else -0.2)"
        " + laplace(0, 0.1)",
        "clip": [-0.5, 0.9],
        "round": 0.05,
    },
    "last": "max(noisy, 4) * sigmoid(bent) + exponential(0.3) + bernoulli(0.25) - gamma(2, 0.1)",
}


def table(variables=VARIABLES):
    return open_scm(ScmData.model_validate({"source": "scm", "world": "table", "variables": variables}))


def naive(values, noise):
    """The equations again, by hand: `values` holds kind, step, coin, base, or all that stands above a variable."""
    kind, step, coin, base = values["kind"], values["step"], values["coin"], values["base"]
    shares = {
        (0, 1): 0.9, (0, 2): 0.5, (0, 4): 0.0, (1, 1): 0.2, (1, 2): 0.5, (1, 4): 0.6, (2, 1): 0.0, (2, 2): 1.0,
        (2, 4): 0.3,
    }  # fmt: skip
    u = noise["bent"][0]
    quantile = math.log(2 * u) if u < 0.5 else -math.log(2 * (1 - u))
    bent = [math.exp(-base), math.log(base), 0.0][int(kind)] + (0.2 if coin == 0 else -0.2) + 0.1 * quantile
    exponential, flip, gamma = noise["last"]
    noisy = values.get("noisy", 2 * base + 0.5 * noise["noisy"][0] * step)
    settled = values.get("bent", min(max(round(bent / 0.05) * 0.05, -0.5), 0.9))
    return {
        "coin": float(noise["coin"][0] >= shares[int(kind), int(step)]),
        "noisy": noisy,
        "bent": settled,
        "last": max(noisy, 4) / (1 + math.exp(-settled))
        - 0.3 * math.log(1 - exponential)
        + float(flip >= 0.75)
        - 0.1 * gamma,
    }


def per_sample(dataset, rows):
    sampler = dataset.sampler
    for row in range(len(rows)):
        one = rows[row : row + 1]
        yield (
            dict(zip(dataset.space.names, dataset.values(one)[0].tolist(), strict=True)),
            {name: sampler.noise(one, name)[0].tolist() for name in dataset.space.names},
        )


def test_draws_satisfy_the_equations():
    dataset = table()
    rows = dataset.draw(300, np.random.default_rng(0))
    for values, noise in per_sample(dataset, rows):
        expected = naive({name: values[name] for name in ("kind", "step", "coin", "base")}, noise)
        for name, value in expected.items():
            assert values[name] == pytest.approx(value, abs=1e-12), name
        assert values["base"] == 1 + 2 * noise["base"][0]
        assert values["kind"] == (noise["kind"][0] >= 0.5) + (noise["kind"][0] >= 0.8)


def test_draws_have_the_declared_distributions():
    dataset = table()
    rows = dataset.draw(20_000, np.random.default_rng(1))
    value = {name: dataset.values(rows)[:, column] for column, name in enumerate(dataset.space.names)}
    assert [(value["kind"] == level).mean() for level in range(3)] == pytest.approx([0.5, 0.3, 0.2], abs=0.012)
    assert [(value["step"] == level).mean() for level in (1, 2, 4)] == pytest.approx([1 / 3] * 3, abs=0.012)
    chosen = (value["kind"] == 0) & (value["step"] == 1)
    assert (value["coin"][chosen] == 0).mean() == pytest.approx(0.9, abs=0.02)
    left = value["noisy"] - 2 * value["base"]
    assert left[value["step"] == 4].std() == pytest.approx(2.0, abs=0.06)
    assert np.corrcoef(left, value["base"])[0, 1] == pytest.approx(0, abs=0.03)


def test_propagate_recomputes_descendants_with_each_samples_noise_and_hold_does_not():
    dataset = table()
    rows = dataset.draw(200, np.random.default_rng(2))
    new = np.random.default_rng(3).uniform(1, 3, len(rows))
    propagated = dataset.intervene(rows, "base", new, "propagate")
    held = dataset.intervene(rows, "base", new, "hold")
    samples = zip(
        per_sample(dataset, rows), per_sample(dataset, propagated), per_sample(dataset, held), new, strict=True
    )
    moved = 0
    for (before, noise), (after, noise_after), (kept, _), value in samples:
        assert noise == noise_after
        expected = naive({**{name: before[name] for name in ("kind", "step", "coin")}, "base": value}, noise)
        assert after["base"] == kept["base"] == value
        for name in ("kind", "step"):
            assert after[name] == before[name]
        for name in ("coin", "noisy", "bent", "last"):
            assert after[name] == pytest.approx(expected[name], abs=1e-12)
            assert kept[name] == before[name]
        moved += after["last"] != before["last"]
    assert moved > 170


def test_a_table_is_recomputed_with_the_same_noise_and_levels_are_snapped():
    dataset = table()
    rows = dataset.draw(400, np.random.default_rng(4))
    changed = dataset.intervene(rows, "kind", np.full(400, 2.0), "propagate")
    for (before, noise), (after, _) in zip(per_sample(dataset, rows), per_sample(dataset, changed), strict=True):
        expected = naive({"kind": 2.0, **{name: before[name] for name in ("step", "base")}, "coin": 0}, noise)
        assert after["coin"] == expected["coin"]
    near = dataset.intervene(rows, "step", np.full(400, 3.6), "hold")
    assert set(dataset.sampler.column(near, "step")) == {4.0}


def test_setting_what_is_there_already_changes_nothing_and_what_was_set_stays_set():
    dataset = table()
    rows = dataset.draw(100, np.random.default_rng(5))
    same = dataset.intervene(rows, "noisy", dataset.sampler.column(rows, "noisy"), "propagate")
    np.testing.assert_array_equal(dataset.values(same), dataset.values(rows))
    fixed = dataset.intervene(rows, "bent", np.full(100, 0.1), "propagate")
    again = dataset.intervene(fixed, "base", np.full(100, 2.0), "propagate")
    assert set(dataset.sampler.column(again, "bent")) == {0.1}
    for (before, noise), (after, _) in zip(per_sample(dataset, rows), per_sample(dataset, again), strict=True):
        known = {**{name: before[name] for name in ("kind", "step", "coin")}, "base": 2.0, "bent": 0.1}
        assert after["last"] == pytest.approx(naive(known, noise)["last"], abs=1e-12)
    restored = dataset.intervene(
        dataset.intervene(rows, "base", np.full(100, 2.5), "propagate"),
        "base",
        dataset.sampler.column(rows, "base"),
        "propagate",
    )
    np.testing.assert_array_equal(dataset.values(restored), dataset.values(rows))


def test_pairs_of_do_differ_as_the_model_says():
    dataset = table()
    column = dataset.space.position
    for others in ("hold", "propagate"):
        pairs = draw_pairs(dataset, factor="base", samples=300, seed=3, others=others, contrast="increase")
        base, other = dataset.values(pairs.base), dataset.values(pairs.counterfactual)
        change = other - base
        assert (change[:, column("base")] >= 0).all() and (change[:, column("base")] > 0.1).mean() > 0.8
        assert (change[:, column("kind")] == 0).all()
        slope = change[:, column("noisy")] / np.where(change[:, column("base")] > 0, change[:, column("base")], np.nan)
        np.testing.assert_allclose(slope[np.isfinite(slope)], 2.0 if others == "propagate" else 0.0, atol=1e-6)


def test_a_value_that_single_precision_cannot_hold_is_refused():
    dataset = table({"a": "uniform(1, 2)", "b": "exp(a)"})
    rows = dataset.draw(5, np.random.default_rng(0))
    with pytest.raises(CausalVAEError, match=r"CV220.*equation of b.*single precision where a = 100"):
        dataset.intervene(rows, "a", np.full(5, 100.0), "propagate")


def test_an_equation_that_breaks_under_do_says_where():
    dataset = table({"a": "uniform(1, 2)", "b": "log(a)"})
    rows = dataset.draw(5, np.random.default_rng(0))
    with pytest.raises(CausalVAEError, match=r"CV220.*equation of b.*a = -1"):
        dataset.intervene(rows, "a", np.full(5, -1.0), "propagate")


@pytest.mark.parametrize(
    "text",
    [
        "a + b * c - a / (b + 3) ** 2",
        "-a % 3 + b % -2",
        "exp(a) * log(abs(b) + 1) + sqrt(abs(c)) + abs(-a)",
        "sin(a) + cos(b) * tan(c) + tanh(a) + sigmoid(10 * b)",
        "floor(a) + round(b * 4) / 4 + min(a, b, c) * max(a, 0.5)",
        "clip(a, -0.5, b + 2) + where(a > b, 1, c)",
        "1 if a < b <= c else 2 if not (a >= c or b != c) else 3",
        "(a > 0) + (b == b) * (a != b) and c > 0",
        "normal(a, 2) + uniform(b, c) + laplace(a, 1) + exponential(2) + bernoulli(0.4) * gamma(3, 2)",
    ],
)
def test_numbers_and_arrays_agree(text):
    rng = np.random.default_rng(6)
    term = parse_expression(text)
    values = {name: rng.normal(0, 2, 50) for name in "abc"}
    noise = [rng.random(50) for _ in range(6)]
    found = np.broadcast_to(evaluate(term, values, noise, ARRAY), (50,))
    one_by_one = [
        evaluate(
            term, {name: float(column[i]) for name, column in values.items()}, [float(u[i]) for u in noise], SCALAR
        )
        for i in range(50)
    ]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-12, atol=1e-12)
    assert set(SCALAR) == set(ARRAY)
    assert set(FUNCTIONS) - {"case"} <= set(SCALAR)


def test_ranges_and_kinds_are_found():
    model, faults = compile_variables(
        ScmData.model_validate({"source": "scm", "world": "table", "variables": VARIABLES}).variables
    )
    assert faults == [] and model is not None
    assert model.ranges["base"] == (1.0, 3.0)
    assert model.ranges["bent"] == (-0.5, 0.9)
    assert model.ranges["step"] == (1.0, 4.0)
    low, high = model.ranges["noisy"]
    noisy = Sampler(model).draw(2000, np.random.default_rng(0))[:, 4]
    assert ((noisy >= low) & (noisy <= high)).mean() > 0.99
    assert [factor.kind for factor in Sampler(model).space.factors[:4]] == [
        "categorical", "ordinal", "categorical", "continuous",
    ]  # fmt: skip
    assert model.descendants("kind") == ("coin", "bent", "last")


def test_the_pendulum_obeys_its_equations():
    dataset = open_pendulum(PendulumData(source="pendulum"))
    rows = dataset.draw(2000, np.random.default_rng(0))
    theta, phi, length, position = dataset.values(rows).T

    def shade(theta, phi):
        # As the original has it: through the line from the sun, which has a pole at phi = pi / 2.
        tangent = np.tan(phi)
        ends = [
            (-0.5 - (y - x * tangent)) / tangent
            for x, y in ((10.0, 10.5), (10 + 9.5 * np.sin(theta), 10.5 - 9.5 * np.cos(theta)))
        ]
        return np.maximum(3, np.abs(ends[0] - ends[1])), (ends[0] + ends[1]) / 2

    expected = shade(theta, phi)
    np.testing.assert_allclose(length, expected[0], atol=1e-6)
    np.testing.assert_allclose(position, expected[1], atol=1e-6)
    assert (length == 3).mean() == pytest.approx(0.396, abs=0.03)
    assert theta.min() >= -40 * np.pi / 200 - 1e-12 and theta.max() <= 43 * np.pi / 200 + 1e-12
    assert dataset.space["light"].size == 88 and dataset.space["pendulum"].size == 84

    new = np.full(2000, 120 * np.pi / 200)
    moved = dataset.values(dataset.intervene(rows, "light", new, "propagate"))
    held = dataset.values(dataset.intervene(rows, "light", new, "hold"))
    expected = shade(theta, new)
    np.testing.assert_allclose(moved[:, 2], expected[0], atol=1e-9)
    np.testing.assert_allclose(moved[:, 3], expected[1], atol=1e-9)
    np.testing.assert_array_equal(held[:, 2:], np.stack([length, position], axis=1))
    np.testing.assert_allclose(held[:, 1], new)
    still = (length == 3) & (moved[:, 2] == 3)
    assert still.mean() > 0.05 and (np.abs(moved[still, 3] - position[still]) > 0.1).mean() > 0.9


# Each distribution of the language with numbers and with parameters that depend on another variable, and scipy's own.
DISTRIBUTIONS = {
    "normal": ("normal(1, 2)", stats.norm(1, 2)),
    "uniform": ("uniform(-1, 3)", stats.uniform(-1, 4)),
    "laplace": ("laplace(1, 0.5)", stats.laplace(1, 0.5)),
    "exponential": ("exponential(2)", stats.expon(scale=2)),
    "gamma": ("gamma(0.7, 3)", stats.gamma(0.7, scale=3)),
    "bernoulli": ("bernoulli(0.3)", stats.bernoulli(0.3)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_validates_and_has_its_closed_form(name):
    text, exact = DISTRIBUTIONS[name]
    variables = {"one": "uniform(0.999999, 1.000001)", "a": text, "b": text.replace("(", "(one * ", 1)}
    if name == "gamma":
        variables["b"] = "gamma(0.7, 3 * one)"
    dataset = table(variables)
    n = 40_000
    drawn = dict(zip(dataset.space.names, dataset.values(dataset.draw(n, np.random.default_rng(3))).T, strict=True))
    for column in (drawn["a"], drawn["b"]):
        mean, variance, kurtosis = (float(value) for value in exact.stats("mvk"))
        assert column.mean() == pytest.approx(mean, abs=4.5 * math.sqrt(variance / n))
        assert column.var() == pytest.approx(variance, abs=4.5 * variance * math.sqrt((kurtosis + 2) / n) + 1e-9)
        if name != "bernoulli":
            assert stats.kstest(column, exact.cdf).pvalue > 1e-4
    low, high = dataset.sampler.model.ranges["a"]
    assert math.isfinite(low) and math.isfinite(high)
    assert ((drawn["a"] >= low) & (drawn["a"] <= high)).mean() > 0.98
    # What validation draws on plain numbers is of the same distribution.
    trials = np.array(dataset.sampler.model.trials["a"])
    assert trials.mean() == pytest.approx(mean, abs=5 * math.sqrt(variance / len(trials)))


def test_every_documented_distribution_and_function_is_tested():
    assert set(DISTRIBUTIONS) == set(LANGUAGE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exp(a)", np.exp), ("log(a + 3)", lambda a: np.log(a + 3)), ("sqrt(a + 2)", lambda a: np.sqrt(a + 2)),
        ("abs(a)", np.abs), ("sin(a)", np.sin), ("cos(a)", np.cos), ("tan(a)", np.tan), ("tanh(a)", np.tanh),
        ("sigmoid(a)", lambda a: 1 / (1 + np.exp(-a))), ("floor(a)", np.floor), ("round(a)", np.round),
        ("min(a, 0.5, -a)", lambda a: np.minimum(np.minimum(a, 0.5), -a)),
        ("max(a, 0.5, -a)", lambda a: np.maximum(np.maximum(a, 0.5), -a)), ("clip(a, -1, 1)", lambda a: a.clip(-1, 1)),
        ("where(a > 0, 2, -a)", lambda a: np.where(a > 0, 2, -a)),
        ("case(k, u=1, v=a)", lambda a: None), ("a ** 2 % 1.5 + pi", lambda a: a**2 % 1.5 + np.pi),
    ],
)  # fmt: skip
def test_every_function_validates_and_is_numpys(text, expected):
    dataset = table({"a": "uniform(-2, 2)", "k": {"levels": ["u", "v"]}, "f": text})
    a, k, f = dataset.values(dataset.draw(500, np.random.default_rng(4))).T
    np.testing.assert_allclose(f, np.where(k == 0, 1, a) if "case" in text else expected(a), rtol=1e-12)


def test_a_parameter_outside_its_domain_under_do_is_named():
    dataset = table({"a": "uniform(1, 2)", "b": "normal(0, a)", "c": "bernoulli(a / 2)"})
    rows = dataset.draw(5, np.random.default_rng(0))
    with pytest.raises(CausalVAEError, match=r"CV220.*the sd of `normal\(0, a\)` is -1 where a = -1"):
        dataset.intervene(rows, "a", np.full(5, -1.0), "propagate")
    dataset = table({"a": "uniform(1, 2)", "c": "bernoulli(a / 2)"})
    rows = dataset.draw(5, np.random.default_rng(0))
    with pytest.raises(CausalVAEError, match=r"CV220.*the probability of `bernoulli\(a / 2\)` is 1.5 where a = 3"):
        dataset.intervene(rows, "a", np.full(5, 3.0), "propagate")


def test_release_recomputes_what_it_names_and_holds_everything_else():
    dataset = table()
    rows = dataset.draw(200, np.random.default_rng(5))
    new = np.random.default_rng(6).uniform(1, 3, len(rows))
    released = dataset.intervene(rows, "base", new, Release(("bent",)))
    both = dataset.intervene(rows, "base", new, Release(("last", "bent")))
    samples = zip(per_sample(dataset, rows), per_sample(dataset, released), per_sample(dataset, both), new, strict=True)
    moved = 0
    for (before, noise), (after, _), (two, _), value in samples:
        # noisy is held, so that last sees the change through bent alone.
        expected = naive({**before, "base": value, "bent": naive_bent(before, noise, value)}, noise)
        assert {name for name in before if after[name] != before[name]} <= {"base", "bent"}
        assert after["bent"] == two["bent"] == pytest.approx(expected["bent"], abs=1e-12)
        assert two["last"] == pytest.approx(expected["last"], abs=1e-12)
        assert two["noisy"] == before["noisy"]
        moved += after["bent"] != before["bent"]
    assert moved > 100
    nothing = dataset.intervene(rows, "last", new, Release(("bent", "nowhere")))
    np.testing.assert_array_equal(dataset.values(nothing)[:, :-1], dataset.values(rows)[:, :-1])


def naive_bent(before, noise, base):
    free = {name: before[name] for name in ("kind", "step", "coin")} | {"base": base}
    return naive(free, noise)["bent"]
