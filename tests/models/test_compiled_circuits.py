"""Compiled circuits against their closed forms, by plain forward hooks; their minimal circuits by enumeration."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from causalvae.errors import CausalVAEError
from causalvae.models.kinds.compiled import CircuitName
from causalvae.models.planted import CIRCUITS, truth
from causalvae.spec.loader import parse_spec
from tests.models.compiled_cases import (
    FORMULAS,
    interchanged,
    latents_of,
    make,
    members_of,
    minimal_sets,
    network,
    output_of,
    rising,
    shares,
)

PAIRS = 400
# The widest layer of a decoder, and more units than any circuit has.
MOST = 4


def test_the_names_of_the_language_are_those_of_the_circuits() -> None:
    assert set(get_args(CircuitName)) == set(CIRCUITS) == set(FORMULAS)


@pytest.mark.parametrize("circuit", list(FORMULAS))
def test_latents_outputs_and_effects_are_the_closed_form(circuit: str) -> None:
    vae = network(make(circuit=circuit, latents=7))
    x, other = rising(circuit, PAIRS)
    z, z_other = latents_of(circuit, x, 7), latents_of(circuit, other, 7)
    with torch.inference_mode():
        assert vae.encode(torch.from_numpy(x).float()).mean.double().numpy() == pytest.approx(z, abs=1e-6)
    start = output_of(circuit, z, x)
    total = output_of(circuit, z_other, other) - start
    plain = interchanged(vae, "latent", (), x, x)[:, 0]
    assert plain == pytest.approx(start, abs=1e-6)
    assert interchanged(vae, "latent", (), other, other)[:, 0] - plain == pytest.approx(total, abs=2e-6)
    for units in truth(make(circuit=circuit, latents=7)).circuits["latent"]:
        mixed = z.copy()
        mixed[:, units] = z_other[:, units]
        by_hand = output_of(circuit, mixed, x) - start
        by_hooks = interchanged(vae, "latent", units, x, other)[:, 0] - plain
        assert by_hooks == pytest.approx(by_hand, abs=2e-6)
        share, fit = shares(total, by_hooks)
        assert share == pytest.approx(shares(total, by_hand)[0], abs=1e-4)
        # All but the leak, the direct path, and the pairs in which it fails.
        expected = {"direct_path": 0.8, "failing": 0.95}.get(circuit, 1.0)
        assert share == pytest.approx(expected * 0.98, abs=0.02) and fit > 0.9


@pytest.mark.parametrize(
    ("circuit", "columns"), [*((circuit, 3) for circuit in FORMULAS), ("chain", 4), ("context", 4)]
)
def test_the_minimal_circuits_are_those_of_an_enumeration(circuit: str, columns: int) -> None:
    section = make(circuit=circuit, latents=max(6, members_of(circuit) + 3))
    vae, known = network(section, columns), truth(section, columns)
    x, other = rising(circuit, 60, columns, seed=3)
    for site, circuits in known.circuits.items():
        size = section.latents if site == "latent" else vae.get_submodule(site).out_features
        assert isinstance(size, int)
        most = size if site != "decoder.lin1" else MOST
        assert minimal_sets(vae, site, size, most, known.at_least, x, other) == set(circuits), site


@pytest.mark.parametrize("circuit", ["or", "product", "direct_path", "cancelling_pair"])
def test_idle_latents_units_and_rotations_change_no_output(circuit: str) -> None:
    plain = network(make(circuit=circuit))
    section = make(
        circuit=circuit, dead=5, loud={"count": 2, "scale": 50.0}, scales=[100, 0.01] + [1] * 7 + [3], rotate=4
    )
    turned = network(section)
    x, other = rising(circuit, 50)
    assert turned.latent_dim == 8 + 5 + 2
    with torch.inference_mode():
        given = torch.from_numpy(x).float()
        assert turned(given).numpy() == pytest.approx(plain(given).numpy(), abs=1e-4)
        posterior = turned.encode(given)
    latents = posterior.mean.double().numpy()
    assert (latents[:, 8:13] == 0).all() and (posterior.logvar[:, 8:13] == 0).all()
    assert latents[:, 13:] == pytest.approx(50 * x[:, [0, 0]], rel=1e-5)
    for idle in range(8, 15):
        assert (interchanged(turned, "latent", (idle,), x, other) == interchanged(turned, "latent", (), x, x)).all()
    known = truth(section)
    assert "latent" not in known.circuits and known.circuits["encoder.lin1"] == ((0,),)
    assert not any("latent" in part for edge in known.edges for part in edge)


@pytest.mark.parametrize("circuit", ["carrier", "and", "spread"])
def test_the_axes_of_a_rotated_circuit_carry_what_its_latents_carried(circuit: str) -> None:
    known = truth(make(circuit=circuit, rotate=2))
    x, other = rising(circuit, 50)
    z, z_other = latents_of(circuit, x, 8), latents_of(circuit, other, 8)
    members = sorted({unit for units in CIRCUITS[circuit].circuits for unit in units})
    mixed = z.copy()
    mixed[:, members] = z_other[:, members]
    vae = network(make(circuit=circuit, rotate=2))
    with torch.inference_mode():
        base, source = (vae.encode(torch.from_numpy(side).float()).mean for side in (x, other))
        axes = torch.from_numpy(known.axes).float()
        assert (axes @ axes.T).numpy() == pytest.approx(np.eye(len(members)), abs=1e-6)
        moved = vae.decode(base + (source - base) @ axes.T @ axes)
    assert moved[:, 0].double().numpy() == pytest.approx(output_of(circuit, mixed, x), abs=1e-5)


def test_equal_sections_are_equal_networks_and_others_are_not() -> None:
    first, again = network(make(circuit="or", rotate=1)), network(make(circuit="or", rotate=1))
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(
        first.encoder.head.weight, network(make(circuit="or", rotate=2)).encoder.head.weight  # type: ignore[union-attr]
    )  # fmt: skip


def test_the_edges_of_a_chain_lead_through_all_layers() -> None:
    assert truth(make(circuit="chain")).edges == (
        ("input", "encoder.lin1[0]"),
        ("encoder.lin1[0]", "encoder.lin2[1]"),
        ("encoder.lin2[1]", "encoder.lin3[2]"),
        ("encoder.lin3[2]", "latent[0]"),
        ("latent[0]", "decoder.lin1[0]"),
        ("decoder.lin1[0]", "output"),
    )
    assert truth(make(circuit="direct_path")).edges[-1] == ("input", "output")
    assert ("latent[1]", "decoder.lin1[1]") in truth(make(circuit="or")).edges
    assert truth(make(circuit="or")).addresses() == (("latent[0]",), ("latent[1]",))


TEXT = """
spec: causalvae/v1
name: planted
model: {%s}
data: {source: scm, world: table, variables: {t: "uniform(0, 1)", s: "uniform(0, 1)", u: "uniform(0, 1)"}}
graph: {factors: [t], attributes: {y: {readout: column, index: 0}}, edges: [t -> y]}
interventions: [{name: rise, input: {factor: t}}]
"""


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        ("source: compiled", "CV028", "neither is given"),
        ("source: compiled, circuit: or, code: identity", "CV028", "both are given"),
        ("source: compiled, circuit: nor", "CV023", "nor"),
        ("source: compiled, circuit: or, scales: [1, 1, 1, 1, 1, 1, 1], latents: 6", "CV022", "7 scales and 6 latents"),
        ("source: compiled, circuit: or, scales: [0]", "CV024", "above 0"),
        ("source: compiled, circuit: or, latents: 2", "CV024", "at least 6"),
        ("source: compiled, circuit: or, loud: {count: 0}", "CV024", "above 0"),
    ],
)
def test_faults_of_the_section(model: str, code: str, said: str) -> None:
    spec, found = parse_spec(TEXT % model)
    assert spec is None
    assert [diagnostic.code for diagnostic in found] == [code]
    assert said in found[0].message


def test_data_that_do_not_fit(tmp_path: Path) -> None:
    from torch import zeros

    section = make(circuit="or", latents=6)
    for shape in ((3, 8, 8), (2,), (7,)):
        with pytest.raises(CausalVAEError) as raised:
            section.open(tmp_path, zeros(4, *shape), 0)
        assert raised.value.code == "CV130" and raised.value.remedy
    with pytest.raises(ValueError, match="code_truth"):
        truth(make(code="identity"))
