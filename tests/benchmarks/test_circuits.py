"""The benchmark of circuits: what it claims, that it goes on where it was stopped, and its rates."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.circuits import discovery, families
from benchmarks.circuits.claims import MISSING, NEIGHBOUR, TOO_MANY, TRUE, claims_of, judge_all, networks
from benchmarks.circuits.networks import Network
from benchmarks.circuits.report import rate_words, write_report
from benchmarks.circuits.store import Job, Key, Row, Store
from causalvae.models.planted import CIRCUITS


def test_only_true_claims_name_the_circuits_of_the_truth() -> None:
    for _, network in networks():
        known = {frozenset(circuit) for site in network.truth.circuits for circuit in network.truth.addresses(site)}
        union = frozenset(address for circuit in network.truth.addresses() for address in circuit)
        kinds = set()
        for asked in claims_of(network):
            kinds.add(asked["claim"])
            is_true = frozenset(asked["circuit"]) in {*known, union}
            # One of several that are each enough is a circuit, and is not special.
            is_one_of_several = network.circuit == "or" and asked["claim"] == MISSING
            assert is_true == (asked["claim"] == TRUE or is_one_of_several), asked
        assert kinds >= {TRUE, TOO_MANY, NEIGHBOUR}


def test_verdicts_and_a_circuit_found_on_one_network() -> None:
    network = Network("and", {"latents": 6})
    rows = judge_all("claims", "", network, seed=0, pairs=96)
    assert {row.claim: row.found for row in rows} == {
        TRUE: "supported", TOO_MANY: "refuted", NEIGHBOUR: "refuted", MISSING: "refuted",
    }  # fmt: skip
    scores = {name: method(discovery.open_runs(network, 48, 0)) for name, method in discovery.METHODS.items()}
    # Neither of the two does anything alone, and without either everything is lost.
    assert scores["single"][:2] == pytest.approx([0, 0], abs=1e-6)
    assert sorted((-scores["removal"]).argsort()[:2]) == [0, 1]


def test_the_share_on_which_ten_claims_are() -> None:
    # Half of the pairs go through latent 0; what is beside the circuit moves the outcome in these alone.
    share = families.share_of_latent_0()
    assert 0.45 < share < 0.5


def test_a_store_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    calls: list[int] = []

    def job(seed: int) -> Job:
        def run() -> list[Row]:
            calls.append(seed)
            return [Row("claims", "or", "", seed, 24, TRUE, "supported", ("latent[0]",))]

        return Job(("claims", "or", "", seed, 24), run)

    told: list[Key] = []
    Store(tmp_path / "out" / "rows.json").run([job(0), job(1)], told.append)
    again = Store(tmp_path / "out" / "rows.json")
    again.run([job(0), job(1), job(2)], told.append)
    assert calls == [0, 1, 2]
    assert [key[3] for key in told] == [0, 1, 2]
    assert again.rows == Store(again.path).rows == [row for seed in range(3) for row in job(seed).run()]


def test_the_report_counts_what_was_found(tmp_path: Path) -> None:
    rows = [Row("claims", "or", "", seed, 24, TRUE, "supported", ("latent[0]",)) for seed in range(3)]
    rows += [Row("claims", "or", "", seed, 24, TOO_MANY, "refuted", ("latent[0]", "latent[2]")) for seed in range(3)]
    rows += [
        Row("families", "context", "", 0, 24, families.SUPPORTED, "no"),
        Row("families", "context", "", 0, 24, families.REFUTED, "yes"),
    ]
    rows += [
        Row("idle", "or", variant, 0, 24, TRUE, found) for variant, found in (("", "supported"), ("2 dead", "refuted"))
    ]
    rows += [
        Row("discovery", "or", "", seed, 24, "relp", found, value=0.5 + seed / 4)
        for seed, found in enumerate(("exact", "another"))
    ]
    markdown, drawing = write_report(rows, tmp_path)
    text = markdown.read_text(encoding="utf-8")
    assert "| true | 3 of 3: 100.0 % [29.2, 100.0] | 0 | 0 | 0 |" in text
    assert "| or | latent[0] latent[2] | one too many | 0 of 3: 0.0 % [0.0, 70.8] | 3 | 0 | 0 |" in text
    assert "| any refuted | 1 of 1: 100.0 % [2.5, 100.0] |" in text
    assert "| 2 dead | 1 of 1 |" in text
    assert "| relp | 0.625, 0.500 | 1 of 2: 50.0 % [1.3, 98.7] |" in text
    drawn = ElementTree.parse(drawing).getroot()
    assert len(drawn.findall(".//{*}circle")) == 2


def test_an_exact_interval() -> None:
    # Clopper & Pearson 1934: the upper end of 0 of n is 1 - 0.025^(1/n).
    assert rate_words(0, 50) == f"0 of 50: 0.0 % [0.0, {100 * (1 - 0.025 ** (1 / 50)):.1f}]"
    assert set(CIRCUITS) == {network.circuit for _, network in networks()}
