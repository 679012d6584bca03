import warnings

import numpy as np
import pytest

from causalvae.alignment.change_tests import weigh_absence, weigh_presence, weigh_share

# Changes whose mean square is exactly the bound of 1.
BOUNDARY = {
    "normal": lambda rng, size: rng.standard_normal(size) ** 2,
    "heavy": lambda rng, size: rng.standard_t(5, size) ** 2 * 3 / 5,
    "constant": lambda rng, size: 1 + 0.01 * rng.standard_normal(size),
    "one in ten changes": lambda rng, size: (rng.random(size) < 0.1) / 0.1,
    "one in twenty has a normal change": lambda rng, size: (
        (rng.random(size) < 0.05) * rng.standard_normal(size) ** 2 / 0.05
    ),
    "one in twenty stays": lambda rng, size: (rng.random(size) < 0.95) / 0.95,
}


@pytest.mark.parametrize("shape", BOUNDARY)
@pytest.mark.parametrize("test", [weigh_presence, weigh_absence])
def test_size_at_the_tolerance(shape: str, test) -> None:
    repetitions = 1500
    squares = BOUNDARY[shape](np.random.default_rng(5), (repetitions, 256))
    rejected = np.mean([test(row, 1.0) <= 0.05 for row in squares])
    # Three standard errors of a rate of 0.05 above it.
    assert rejected <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)


@pytest.mark.parametrize("shape", BOUNDARY)
def test_power_at_twice_and_half_the_tolerance(shape: str) -> None:
    changes = np.sqrt(BOUNDARY[shape](np.random.default_rng(6), (200, 512)))
    assert np.mean([weigh_presence(4 * row**2, 1.0) <= 0.05 for row in changes]) > 0.8
    assert np.mean([weigh_absence(row**2 / 4, 1.0) <= 0.05 for row in changes]) > 0.8


def test_few_or_equal_pairs_give_finite_p_values() -> None:
    for squares in (np.zeros(0), np.zeros(1), np.full(1, 9.0), np.zeros(50), np.full(50, 1.0), np.full(50, 9.0)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = weigh_presence(squares, 1.0), weigh_absence(squares, 1.0)
        assert all(0 <= value <= 1 for value in values)
    assert weigh_absence(np.zeros(1), 1.0) > 0.05
    assert weigh_presence(np.full(1, 9.0), 1.0) > 0.05
    assert weigh_absence(np.zeros(50), 1.0) < 1e-6
    assert weigh_presence(np.full(50, 9.0), 1.0) < 1e-6


# Changes and references whose share is exactly 0.8.
SHARES = {
    "noise of its own": lambda rng, size: ((ref := rng.standard_normal(size)), 0.8 * ref + rng.standard_normal(size)),
    "all or nothing": lambda rng, size: ((ref := rng.standard_normal(size)), ref * (rng.random(size) < 0.8)),
    "one pair in ten": lambda rng, size: (
        (ref := rng.standard_normal(size) * (rng.random(size) < 0.1)),
        ref * rng.choice([0.6, 1.0], size),
    ),
}


@pytest.mark.parametrize("kind", SHARES)
@pytest.mark.parametrize("above", [True, False])
def test_size_at_the_share(kind: str, above: bool) -> None:
    repetitions = 1500
    reference, changes = SHARES[kind](np.random.default_rng(7), (repetitions, 256))
    rejected = np.mean([weigh_share(c, r, 0.8, above) <= 0.05 for c, r in zip(changes, reference, strict=True)])
    assert rejected <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)


def test_power_off_the_share() -> None:
    rng = np.random.default_rng(8)
    reference = rng.standard_normal((200, 256))
    noise = 0.3 * rng.standard_normal(reference.shape)
    for share, above in ((1.0, True), (0.6, False)):
        p_values = [weigh_share(share * r + e, r, 0.8, above) for r, e in zip(reference, noise, strict=True)]
        assert np.mean(np.array(p_values) <= 0.05) > 0.9


def test_a_share_of_nothing_is_shown_in_neither_way() -> None:
    for above in (True, False):
        assert weigh_share(np.ones(9), np.zeros(9), 0.8, above) == 1.0
        assert weigh_share(np.zeros(0), np.zeros(0), 0.8, above) == 1.0
