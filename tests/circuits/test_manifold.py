"""Patched activations among clean ones: distances one by one, size, power, and a network whose latents go together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.distance import mahalanobis

import causalvae
from causalvae.circuits.manifold import compare_with_clean
from causalvae.manifolds import manifold_warnings, place_manifolds
from causalvae.report.circuit_findings import circuit_findings
from tests.circuits.case_networks import case_spec
from tests.circuits.test_verdict_size import most_allowed
from tests.effects.synthetic import Array


def together(rng: np.random.Generator, n: int, noise: float = 0.1) -> Array:
    """Two numbers that go together, and one of their own."""
    shared = rng.normal(size=n)
    return np.stack([shared, shared + noise * rng.normal(size=n), rng.normal(size=n)], axis=1)


def test_the_share_outside_one_by_one() -> None:
    rng = np.random.default_rng(0)
    clean, base, other = together(rng, 200), together(rng, 40), together(rng, 40)
    patched = base.copy()
    patched[:, 0] = other[:, 0]
    found = compare_with_clean("latent", clean, patched, other)
    mean, inverse = clean[:100].mean(axis=0), np.linalg.inv(np.cov(clean[:100].T))
    assert found is not None
    held = sorted(mahalanobis(value, mean, inverse) for value in clean[100:])
    limit = held[int(np.ceil(0.99 * 99))]
    outside = [mahalanobis(value, mean, inverse) > limit for value in patched]
    assert found.outside == sum(outside) > 20 and found.n == 40 and found.is_off
    assert found.unpatched == np.mean([mahalanobis(value, mean, inverse) > limit for value in other])


def test_whole_samples_are_seldom_called_outside_and_torn_ones_are() -> None:
    called = torn = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        clean, base, other = together(rng, 400), together(rng, 128), together(rng, 128)
        whole = compare_with_clean("latent", clean, other, base)
        patched = base.copy()
        patched[:, 0] = other[:, 0]
        half = compare_with_clean("latent", clean, patched, other)
        assert whole is not None and half is not None
        called, torn = called + whole.is_off, torn + half.is_off
    assert called / 100 <= most_allowed(100, 0.05) and torn == 100


def test_too_few_samples_say_nothing() -> None:
    rng = np.random.default_rng(0)
    few, pairs = rng.normal(size=(58, 6)), rng.normal(size=(9, 6))
    assert compare_with_clean("latent", few, pairs, pairs) is None
    assert compare_with_clean("latent", np.ones((100, 2)), np.ones((9, 2)), np.ones((9, 2))) is None


def test_half_of_a_pair_of_latents_that_go_together_is_off_the_manifold(tmp_path: Path) -> None:
    expect = {"mediated_share": {"at_least": 0.3, "at_most": 2.0}}
    claims = [{"circuit": circuit, "expect": expect} for circuit in (["latent[0]"], ["latent[0]", "latent[1]"])]
    with causalvae.allow_code(True):
        session = causalvae.open_session(case_spec("sum", claims, carriers=2), tmp_path)
        plan = causalvae.compile_plan(session)
        measurements = causalvae.execute(session, plan, tmp_path / "runs")
    half, whole = causalvae.analyse(session, measurements).verdicts
    assert half.manifolds[0].is_off and half.manifolds[0].outside > 0.9 * half.manifolds[0].n
    assert not whole.manifolds[0].is_off
    assert place_manifolds(session, plan, (half,))[0].manifolds == half.manifolds
    (warning,) = manifold_warnings((half, whole))
    assert warning.startswith(("“h0”: 9", "“h0”: 100%"))
    assert any(found.title == "On the manifold" and found.brief for found in circuit_findings(half))
    assert any(found.title == "On the manifold" and not found.brief for found in circuit_findings(whole))
