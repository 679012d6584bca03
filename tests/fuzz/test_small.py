"""A few cases of each fuzzer; `docs/robustness.md` has the counts of long runs."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.kills import COMMANDS, COSTLY, kill_commands
from tests.fuzz.tables import fuzz_tables, kill_runs, rerun_flipped, simultaneous
from tests.fuzz.weights import fuzz_weights

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forked, which this system cannot do")


def test_flipped_bits_are_noticed_in_every_file() -> None:
    counts = fuzz_tables(120, seed=0)
    assert {"outcomes", "observations", "costs", "results.json", "spec.yaml", "manifest.json"} < counts.keys()
    assert {"checkpoint.pt", "small.safetensors", "pairs.parquet", "plan.json", "packing.json"} < counts.keys()
    assert all(found["flips"] == found["refused"] + found["harmless"] > 0 for found in counts.values()), counts
    assert sum(found["harmless"] for found in counts.values()) <= counts["small.safetensors"]["harmless"]


def test_broken_weights_of_every_format_are_refused_with_a_code() -> None:
    counts = fuzz_weights(150, seed=0)
    assert set(counts) == {"safetensors", "pt", "legacy pt", "ckpt", "json"}
    assert all(found["crashes"] == [] for found in counts.values()), counts
    assert all(found["refused"] > found["opened"] for found in counts.values())


# Kills of the engine at each touch of its folder are in tests/engine/test_engine_killed.py.
@pytest.mark.simulation
@forks
def test_killed_runs_resume_to_the_same_results() -> None:
    counts = kill_runs(6, seed=2)
    assert counts["same"] == counts["runs"] == 6
    assert counts["killed"] > 0


@forks
def test_several_processes_on_one_spec_all_finish_alike() -> None:
    assert simultaneous(3) == {"processes": 9, "finished": 9, "same": 3}


@forks
def test_what_analyses_keep_is_measured_again_where_a_bit_is_flipped() -> None:
    counts = rerun_flipped(2, seed=1, only=frozenset({"discoveries", "counterfactuals"}))
    assert counts == {
        kind: {"flips": 1, "refused": 0, "same": 1, "different": 0} for kind in ("counterfactuals", "discoveries")
    }


@forks
def test_commands_that_are_stopped_while_they_write_finish_when_they_are_started_again() -> None:
    quick = frozenset(command.name for command in COMMANDS) - COSTLY
    counts = kill_commands(3, seed=0, names=quick)
    assert [fault for found in counts.values() for fault in found["faults"]] == []
    assert all(found["states"] >= found["tried"] == found["same"] > 0 for found in counts.values())
