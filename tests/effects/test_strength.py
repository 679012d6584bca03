"""Sweeps and latent perturbations against naive loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.outcomes import IMAGE, Outcomes
from causalvae.effects.strength import (
    PatchedArm,
    Scale,
    input_estimates,
    perturbation_estimates,
    sweep_estimates,
)
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Patch
from causalvae.report.notes import notes_words
from causalvae.spec.value_source import make_source
from causalvae.spec.whole_output import WholeOutput
from tests.effects.synthetic import Array, Network, make_spec, naive_by_weights, naive_studentised
from tests.targets import target

OWNER = Owner.intervention("o")
UNITS = 7
SCALE = Scale({"area": 2.0, "place": 0.5}, {}, {"area": "pixels"}, whole=WholeOutput.of((1, 1, 16)), output_sd=1.0)


def decode(z: Array) -> dict[str, Array]:
    return {"area": np.tanh(z).sum(axis=1), "place": z[:, 0] * z[:, 1]}


def image(z: Array) -> Array:
    return np.tanh(z @ np.linspace(-1, 1, UNITS * 16).reshape(UNITS, 16))


def make_network(n: int = 30) -> Network:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, UNITS))
    return Network(make_spec(), decode, z, z + rng.normal(0.5, 1, size=z.shape), image=image)


def sweep(network: Network, side: str) -> tuple[Outcomes, tuple[str, str], list[PatchedArm]]:
    arms = [network.patched(side, (unit,)) for unit in range(UNITS)]
    network.clean(Owner.intervention("sweep"))
    _, measurements = network.finish(shuffle=True)
    clean = tuple(use.arm for use in network.uses)
    patched = [PatchedArm(arm.id, target(f"latent[{k}]"), "unit", "interchange") for k, arm in enumerate(arms)]
    return Outcomes(measurements), (clean[0], clean[1]), patched


@pytest.mark.parametrize(("side", "direction"), [("base", "denoising"), ("counterfactual", "noising")])
def test_sweep_equals_a_loop(side: str, direction: str) -> None:
    network = make_network()
    outcomes, (base, counterfactual), patched = sweep(network, side)
    boot = PairedBootstrap(30, 200, 0.95, 1)
    estimates = sweep_estimates(
        outcomes,
        base,
        counterfactual,
        patched,
        direction,
        boot,
        Ablation(Owner.intervention("sweep")),
        SCALE,
        ("area", "place"),
    )
    found = {(estimate.component.label, estimate.outcome): estimate for estimate in estimates}
    assert len(estimates) == UNITS * 3
    for unit in range(UNITS):
        own, other = (network.z, network.z_cf) if side == "base" else (network.z_cf, network.z)
        mixed = own.copy()
        mixed[:, unit] = other[:, unit]
        sign = 1 if side == "base" else -1
        for attribute in ("area", "place"):
            change = sign * (decode(mixed)[attribute] - decode(own)[attribute])
            estimate = found[f"latent[{unit}]", attribute]
            assert estimate.value == pytest.approx(np.sqrt(np.mean(change**2)) / SCALE.sd[attribute], abs=1e-12)
            square, ends = change**2, (estimate.lower or 0.0, estimate.upper or 0.0)
            if not square.any():
                assert (*ends, estimate.interval) == (0, 0, "percentile")
                continue
            low_high = naive_studentised(square, np.ones(30), boot.weights)
            assert ends == pytest.approx(tuple(np.sqrt(low_high) / SCALE.sd[attribute]), rel=1e-10)
            assert estimate.interval == "bootstrap-t"
            assert (estimate.unit, estimate.direction, estimate.source) == ("sd", direction, "interchange")
        length = np.linalg.norm(image(mixed) - image(own), axis=1)
        assert found[f"latent[{unit}]", IMAGE].value == pytest.approx(length.mean(), abs=1e-7)
    # Units 2 and later do not enter place: exactly no effect, and no evidence of one.
    assert found["latent[4]", "place"].value == 0
    assert found["latent[4]", "place"].p_value == 1


def test_a_sweep_of_thousands_is_one_block() -> None:
    network = make_network(16)
    arms = [network.patched("base", (unit,)) for unit in range(UNITS)]
    network.clean(Owner.intervention("sweep"))
    _, measurements = network.finish()
    patched = [PatchedArm(arms[k % UNITS].id, target(f"c[{k}]"), "unit", "interchange") for k in range(1500)]
    base, counterfactual = (use.arm for use in network.uses)
    estimates = sweep_estimates(
        Outcomes(measurements), base, counterfactual, patched, "denoising", PairedBootstrap(16, 50), Ablation(OWNER),
        SCALE, ("area",),
    )  # fmt: skip
    assert len(estimates) == 3000
    by_unit = {estimate.component.label: estimate for estimate in estimates if estimate.outcome == "area"}
    # The same arm gives the same numbers whichever chunk of the bootstrap it falls in.
    assert by_unit["c[3]"].lower == pytest.approx(by_unit[f"c[{3 + 200 * UNITS}]"].lower, rel=1e-12)


def perturb(network: Network, unit: int, values: tuple[float, ...]) -> list[Arm]:
    arms = []
    for value in values:
        z = network.z.copy()
        z[:, unit] = value
        arms.append(network.run("base", z, (Patch("latent", (unit,), make_source("quantile", value)),)))
    return arms


def perturbations(network: Network, values: tuple[float, ...] = (-1.0, 1.0)) -> list[Estimate]:
    base = network.run("base", network.z)
    patched = [
        PatchedArm(arm.id, target(f"latent[{unit}]"), "unit", "quantile", value)
        for unit in range(UNITS)
        for arm, value in zip(perturb(network, unit, values), values, strict=True)
    ]
    _, measurements = network.finish(shuffle=True)
    return perturbation_estimates(
        Outcomes(measurements), base.id, patched, PairedBootstrap(len(network.z), 200), Ablation(OWNER), SCALE,
        ("area", "place"),
    )  # fmt: skip


def pick(estimates: list[Estimate], estimand: str, component: str, outcome: str, unit: str | None = None) -> Estimate:
    (found,) = [
        estimate
        for estimate in estimates
        if (estimate.estimand, estimate.component.label, estimate.outcome) == (estimand, component, outcome)
        and unit in (None, estimate.unit)
    ]
    return found


def test_perturbation_equals_a_loop() -> None:
    network = make_network()
    estimates = perturbations(network)
    z = network.z
    for unit in (0, 5):
        component = f"latent[{unit}]"
        lengths, squares = [], []
        for value in (-1.0, 1.0):
            moved = z.copy()
            moved[:, unit] = value
            lengths.append(np.linalg.norm(image(moved) - image(z), axis=1))
            squares.append((decode(moved)["area"] - decode(z)["area"]) ** 2)
        raw = pick(estimates, "causal_effect_strength", component, IMAGE, "pixel L2")
        rms = pick(estimates, "causal_effect_strength", component, IMAGE, "pixel RMS")
        assert raw.value == pytest.approx(np.mean(lengths))
        assert rms.value == pytest.approx(np.mean(lengths) / 4)
        assert rms.lower == pytest.approx((raw.lower or 0.0) / 4)
        area = pick(estimates, "effect_size", component, "area")
        assert area.value == pytest.approx(np.sqrt(np.mean(squares)) / 2)
        assert area.p_value is not None and area.p_value < 1e-6
        assert "-1, 1" in notes_words(area.notes)


def test_specificity_in_closed_form() -> None:
    network = make_network()
    estimates = perturbations(network)
    sizes = np.array([pick(estimates, "effect_size", "latent[0]", name).value for name in ("area", "place")])
    share = sizes / sizes.sum()
    entropy = -(share * np.log(share)).sum()
    assert pick(estimates, "specificity", "latent[0]", "attributes").value == pytest.approx(1 / (entropy + 1e-6))
    bounded = pick(estimates, "specificity_bounded", "latent[0]", "attributes")
    assert bounded.interval == "bootstrap-t"
    assert (bounded.lower, bounded.upper) == pytest.approx(naive_bounded_ends(network), rel=1e-9)
    assert bounded.value == pytest.approx(1 - entropy / np.log(2))
    assert (bounded.lower or 0) <= bounded.value <= (bounded.upper or 0)
    # Unit 5 moves area alone.
    assert pick(estimates, "specificity_bounded", "latent[5]", "attributes").value == 1
    assert pick(estimates, "specificity", "latent[5]", "attributes").value == pytest.approx(1e6)


def naive_bounded_ends(network: Network) -> tuple[float, float]:
    """The interval of the bounded specificity of latent 0, from whole data sets drawn again."""
    clean, squares = decode(network.z), []
    for name in ("area", "place"):
        changes = []
        for value in (-1.0, 1.0):
            moved = network.z.copy()
            moved[:, 0] = value
            changes.append((decode(moved)[name] - clean[name]) ** 2)
        squares.append(np.mean(changes, axis=0) / SCALE.sd[name] ** 2)

    def bounded(counts: Array) -> float:
        sizes = np.sqrt([(counts * square).sum() / counts.sum() for square in squares])
        share = sizes / sizes.sum()
        return float(1 + (share * np.log(share)).sum() / np.log(2))

    return naive_by_weights(bounded, PairedBootstrap(len(network.z), 200).weights)


def test_an_inert_latent_has_no_specificity() -> None:
    network = make_network()
    network.decode = lambda z: {"area": z[:, 0], "place": z[:, 1]}
    estimates = perturbations(network)
    assert pick(estimates, "effect_size", "latent[6]", "area").value == 0
    assert not [e for e in estimates if e.estimand.startswith("specificity") and e.component.label == "latent[6]"]


def test_input_estimates() -> None:
    network = make_network()
    network.decode = lambda z: {"area": z[:, 0], "place": np.where(z[:, 1] > 1, np.nan, z[:, 1])}
    network.clean("o")
    _, measurements = network.finish()
    base, counterfactual = (use.arm for use in network.uses)
    estimates = input_estimates(
        Outcomes(measurements),
        base,
        counterfactual,
        PairedBootstrap(30, 100),
        Ablation(OWNER),
        SCALE,
        ("area", "place"),
    )
    step = (network.z_cf - network.z)[:, 0]
    assert pick(estimates, "total_effect", "", "area").value == pytest.approx(step.mean())
    assert pick(estimates, "total_effect", "", "area").unit == "pixels"
    assert pick(estimates, "effect_size", "", "area").value == pytest.approx(np.sqrt(np.mean(step**2)) / 2)
    known = (network.z[:, 1] <= 1) & (network.z_cf[:, 1] <= 1)
    place = pick(estimates, "total_effect", "", "place")
    assert place.n == known.sum() < 30
    assert place.value == pytest.approx((network.z_cf - network.z)[known, 1].mean())
    assert f"{30 - known.sum()} pairs excluded because their outcome is undefined" in notes_words(place.notes)
    length = np.linalg.norm(image(network.z_cf) - image(network.z), axis=1)
    assert pick(estimates, "total_effect", "", IMAGE).value == pytest.approx(length.mean())
