"""The table of networks of real structure: its steps at the smallest size, and what it says of shortcomings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.floor import Floor, SpeedBook
from benchmarks.peers.hooks import HookLoop
from benchmarks.real.cases import CASES
from benchmarks.real.measure import ENGINE, REFERENCE, ArmTimes, NetworkTimes, measure_network
from benchmarks.real.memory import Memory
from benchmarks.real.report import read_networks, short_of_target, write_networks
from benchmarks.report import TOLERANCE
from benchmarks.timing import one_thread


@pytest.fixture(scope="module", params=["2,000-gene perceptron VAE", "ladder VAE"])
def times(request: pytest.FixtureRequest) -> Iterator[NetworkTimes]:
    case = next(case for case in CASES if case.name == request.param)

    class Failing(HookLoop):
        name = "pyvene"

        def run(self, *given: object) -> list[object]:  # type: ignore[override]
            raise RuntimeError("cannot hook this\nmodule")

    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.setattr(peers, "PEERS", {REFERENCE: (None, HookLoop), "pyvene": (None, Failing)})
        yield measure_network(case.workload(2, 4, 2), case.structure, 1, 1, SpeedBook((4,), series=1e-4))


def test_the_engine_agrees_and_every_site_is_measured(times: NetworkTimes) -> None:
    assert len(times.units) == 2
    assert (
        set(times.arms[ENGINE].sites) == set(times.arms[REFERENCE].sites) == set(times.floor.sites) == set(times.units)
    )
    assert times.arms[ENGINE].difference <= TOLERANCE
    assert (times.arms[ENGINE].exact or 1.0) <= TOLERANCE
    assert all(0 < share <= 1 for share in times.live.values())
    assert times.floor.seconds == pytest.approx(sum(times.floor.sites.values()))


def test_a_peer_that_fails_is_named_with_its_error(times: NetworkTimes, tmp_path: Path) -> None:
    assert times.arms["pyvene"].error == "RuntimeError: cannot hook this module"
    assert np.isnan(times.arms["pyvene"].total)
    paths = write_networks([times], {"processor": "p"}, {"rounds": 1}, tmp_path)
    text = paths[0].read_text(encoding="utf-8")
    assert f"- pyvene on {times.name}: RuntimeError: cannot hook this module" in text
    assert all(site in text for site in times.units)
    assert read_networks(paths[1]) == [times]


def made(hooks: float, engine: float, extra: float, difference: float) -> NetworkTimes:
    arms = {
        REFERENCE: ArmTimes(REFERENCE, {"a": [hooks, 9.0, 0.0]}, 0.5),
        ENGINE: ArmTimes(ENGINE, {"a": [engine]}, 0.1, difference, 2 * difference),
    }
    floor = Floor(1.0, 0.1, 1.0, 1.0, {"a": 10}, {"a": 1.0}, ())
    memory = Memory(100.0, 50.0, 50.0 + extra, 64, 64)
    return NetworkTimes("n", "s", 1, 4, 1.0, {"a": 2}, {"a": 1.0}, arms, floor, [], 0.0, memory)


def test_what_falls_short_is_said() -> None:
    fine = made(hooks=2.0, engine=1.0, extra=80.0, difference=1e-7)
    assert fine.gain("a") == 2.0
    assert fine.above_floor("a") == 1.0
    assert short_of_target(fine) == []
    assert made(hooks=2.0, engine=1.0, extra=80.0, difference=6e-6).agrees
    poor = made(hooks=1.0, engine=1.5, extra=120.0, difference=2e-5)
    assert short_of_target(poor) == [
        "at a the engine takes 1.50 times the hook loop",
        "1.60 times the floor",
        "120 MB with a budget of 100 MB",
        "outcomes differ by 2.0e-05",
    ]
    assert short_of_target(replace(poor, memory=None))[-1].startswith("outcomes")


def test_every_network_has_a_site_in_encoder_and_decoder() -> None:
    assert len({case.name for case in CASES}) == len(CASES) == 10
    for case in CASES:
        assert {site.split(".")[0] for site in case.sites} == {"encoder", "decoder"}
