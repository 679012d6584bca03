"""Interaction shares: closed forms, a plain loop over pairs, verdicts, and compiled networks from end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import causalvae
from causalvae.data.pairs import draw_pairs
from causalvae.effects.analysis import claim_columns
from causalvae.report.verdict_words import reason
from tests.circuits.test_verdict import judge_claims
from tests.effects.synthetic import Array, Decode, Network, make_hypothesis, make_spec

SPECS = Path(__file__).parents[2] / "specs"
ONE = {"attributes": ("area",), "edges": ("scale -> area",)}


def columns_of(decode: Decode, z: Array, z_cf: Array):
    spec = make_spec(
        hypotheses=[make_hypothesis(expect={"interaction_share": {"at_least": 0.1}})], bootstrap=200, **ONE
    )
    network = Network(spec, decode, z, z_cf, observed=np.random.default_rng(9).normal(size=(200, z.shape[1])))
    network.hypothesis("claim", (0,))
    return claim_columns(network.context(), spec.hypotheses[0], frozenset({"area"}))["interaction_share"]


def share(columns) -> float:
    return float(columns.numerator.sum() / columns.denominator.sum())


@pytest.mark.parametrize("k", [-1.0, -0.5, 0.0, 0.5, 4.0])
def test_of_a_sum_with_a_product_it_is_k_over_two_plus_k(k):
    zeros, ones = np.zeros((30, 2)), np.ones((30, 2))
    found = columns_of(lambda z: {"area": z[:, 0] + z[:, 1] + k * z[:, 0] * z[:, 1]}, zeros, ones)
    assert share(found) == pytest.approx(k / (2 + k), abs=1e-12)
    assert found.undefined is None


@pytest.mark.parametrize(("gate", "expected"), [(np.minimum, 1.0), (np.maximum, -1.0), (np.add, 0.0)])
def test_an_and_is_all_interaction_and_an_or_the_opposite(gate, expected):
    zeros, ones = np.zeros((30, 2)), np.ones((30, 2))
    assert share(columns_of(lambda z: {"area": gate(z[:, 0], z[:, 1])}, zeros, ones)) == pytest.approx(expected)


def test_it_is_what_a_loop_over_pairs_gives():
    def decode(z: Array) -> dict[str, Array]:
        return {"area": np.tanh(z[:, 0] + 0.5 * z[:, 1] * z[:, 2]) + z[:, 0] * z[:, 3]}

    rng = np.random.default_rng(3)
    z = rng.normal(size=(60, 4))
    z_cf = z + rng.normal(0.5, 1, size=z.shape)
    top = bottom = 0.0
    for base, changed in zip(z, z_cf, strict=True):
        alone, held = base.copy(), changed.copy()
        alone[0], held[0] = changed[0], base[0]
        y, y_cf, y_alone, y_held = (float(decode(row[None])["area"][0]) for row in (base, changed, alone, held))
        top += ((y_cf - y_held) - (y_alone - y)) * (y_cf - y)
        bottom += (y_cf - y) ** 2
    assert share(columns_of(decode, z, z_cf)) == pytest.approx(top / bottom, rel=1e-12)


def claimed(name: str, **bound: float) -> dict:
    return make_hypothesis(name=name, expect={"interaction_share": bound})


def gated(z: Array) -> dict[str, Array]:
    return {"area": z[:, 0] * (1 + z[:, 1]), "place": z[:, 2]}


def test_claims_are_supported_and_refuted():
    def summed(z: Array) -> dict[str, Array]:
        return {"area": 3 * z[:, 0] + z[:, 1], "place": z[:, 2]}

    wanted = [claimed("adds", at_least=-0.1, at_most=0.1), claimed("both", at_least=0.3)]
    assert [verdict.status for verdict in judge_claims(*wanted, decode=summed)] == ["supported", "refuted"]
    product = judge_claims(*wanted, decode=gated, spread=3, n=200)
    assert [verdict.status for verdict in product] == ["refuted", "supported"]
    assert "of the effect on area is interaction of the circuit with the rest (95% interval" in reason(product[1])


def test_it_is_measured_only_where_it_is_claimed():
    spec = make_spec(hypotheses=[make_hypothesis()], bootstrap=200, **ONE)
    z = np.random.default_rng(0).normal(size=(30, 2))
    network = Network(spec, lambda z: {"area": z[:, 0]}, z, z + 1)
    network.hypothesis("claim", (0,))
    assert "interaction_share" not in claim_columns(network.context(), spec.hypotheses[0], frozenset({"area"}))


@pytest.mark.parametrize(("circuit", "sign"), [("or", -1), ("and", 1)])
def test_intervals_of_compiled_networks_hold_what_plain_forward_runs_of_other_pairs_give(circuit, sign, tmp_path):
    text = (
        (SPECS / "compiled_or.yaml").read_text().split("hypotheses:")[0].replace("circuit: or", f"circuit: {circuit}")
    )
    text += (
        "hypotheses:\n  - {name: one, treatment: rise, circuit: ['latent[0]'], outcome: y, "
        f"expect: {{interaction_share: {{{'at_least: 0.2' if sign > 0 else 'at_most: -0.2'}}}}}}}\n"
        "estimation: {bootstrap: 200, dowhy: false}\nexecution: {controls: false}\nreport: {formats: [json]}\n"
    )
    (tmp_path / "s.yaml").write_text(text)
    (verdict,) = causalvae.run(tmp_path / "s.yaml", out=tmp_path / "runs").results.verdicts
    assert verdict.status == "supported"
    session = causalvae.open(tmp_path / "s.yaml")
    pairs = draw_pairs(session.dataset, factor="t", samples=2000, seed=99, contrast="increase")
    vae = session.model.vae
    with torch.inference_mode():
        inputs, changed = (session.dataset.inputs(rows) for rows in (pairs.base, pairs.counterfactual))
        z, z_cf = vae.encode(inputs).mean, vae.encode(changed).mean
        alone, held = z.clone(), z_cf.clone()
        alone[:, 0], held[:, 0] = z_cf[:, 0], z[:, 0]
        y, y_cf, y_alone, y_held = (
            session.measure(vae.decode(vae.pass_on(latents), inputs))[:, 0] for latents in (z, z_cf, alone, held)
        )
    total = y_cf - y
    expected = float((((y_cf - y_held) - (y_alone - y)) * total).sum() / (total**2).sum())
    (test,) = verdict.tests
    assert test.lower is not None and test.upper is not None
    assert test.lower < expected < test.upper < test.lower + 0.4
