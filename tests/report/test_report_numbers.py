# ruff: noqa: RUF001  numbers are written with a minus sign, and an en dash stands where there is none

from __future__ import annotations

import math

import pytest

from causalvae.report.numbers import (
    flatten_facts,
    format_fixed,
    format_interval,
    format_number,
    format_p,
    p_words,
    quantile_label,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.91834, "0.918"),
        (1234.5, "1,234"),
        (-0.0213, "−0.0213"),
        (0.0, "0"),
        (1.2e-7, "1.20e-7"),
        (3.2e8, "3.20e8"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_numbers(value: float | None, written: str) -> None:
    assert format_number(value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(0.0042, "0.004"), (0.00099, "< 0.001"), (1.0, "1.000"), (None, "–"), (math.nan, "–")]
)
def test_p_values(value: float | None, written: str) -> None:
    assert format_p(value) == written


def test_p_values_in_a_sentence() -> None:
    assert p_words(1e-9) == "p < 0.001"
    assert p_words(0.031) == "p = 0.031"


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ((0.9183, 0.9012, 0.9401), "0.92 [0.90, 0.94]"),
        ((0.0041, -0.012, 0.0205), "0.00 [−0.01, 0.02]"),
        ((0.013, 0.0117, 0.0143), "0.013 [0.012, 0.014]"),
        ((131.7, 127.7, 135.6), "132 [128, 136]"),
        ((0.5, 0.5, 0.5), "0.50 [0.50, 0.50]"),
        ((0.9511803, 0.9511803 - 1e-14, 0.9511803 + 1e-14), "0.95 [0.95, 0.95]"),
        ((0.0, -2.22e-16, 2.22e-16), "0.00 [0.00, 0.00]"),
        ((3e-13, 2e-13, 4e-13), "3.00e-13 [2.00e-13, 4.00e-13]"),
        ((0.0, 0.0, 0.0), "0.00 [0.00, 0.00]"),
        ((1e-7, 0.5e-7, 2e-7), "1.00e-7 [5.00e-8, 2.00e-7]"),
        ((0.5, None, None), "0.500"),
        ((0.5, math.nan, 0.6), "0.500"),
        ((math.nan, 0.1, 0.2), "–"),
        ((0.9298264, 0.9298262, 0.9298266), "0.93 [0.93, 0.93]"),
        ((0.0005, 0.0005, 0.0005), "0.000500 [0.000500, 0.000500]"),
    ],
)
def test_intervals(numbers: tuple[float, float | None, float | None], written: str) -> None:
    assert format_interval(*numbers) == written


def test_an_interval_that_differs_is_never_written_as_a_point() -> None:
    for exponent in range(-4, 4):
        middle = 3.7 * 10.0**exponent
        _, _, ends = format_interval(middle, middle * 0.98, middle * 1.02).partition(" ")
        lower, upper = ends.strip("[]").split(", ")
        assert lower != upper


def test_minus_zero_has_no_sign() -> None:
    assert format_fixed(-0.00001) == "0.000"
    assert format_interval(-0.0001, -0.05, 0.05).startswith("0.00 ")


def test_facts_are_flattened_in_order() -> None:
    facts = {"versions": {"torch": "2.13", "python": "3.11"}, "rows": [1, 2], "dead": None, "controls": True}
    assert flatten_facts(facts) == [
        ("versions.torch", "2.13"),
        ("versions.python", "3.11"),
        ("rows", "1, 2"),
        ("dead", "–"),
        ("controls", "yes"),
    ]


def test_quantiles() -> None:
    assert [quantile_label(value) for value in (0.02, 0.5, 0.975)] == ["q02", "q50", "q97.5"]
