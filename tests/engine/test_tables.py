"""Outcome tables: files answer as memory does, and hold few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from causalvae.effects.outcomes import Outcomes
from causalvae.engine import measurements, tables
from causalvae.engine.measurements import Measurements, StoredMeasurements, write_table
from causalvae.engine.outcomes import outcome_frame
from causalvae.engine.tables import FileTable, MemoryTable
from causalvae.errors import CausalVAEError
from causalvae.plan.types import Plan

COLUMNS = ("area", "image_sq")


def write_shards(folder: Path, pairs: dict[str, int], shard_pairs: int) -> list[Path]:
    """Random outcomes of arms that cover so many pairs each, as the engine writes them."""
    rng = np.random.default_rng(0)
    values = {arm: (rng.normal(size=(count, 2)), rng.random(count) < 0.5) for arm, count in pairs.items()}
    paths = []
    for number, first in enumerate(range(0, max(pairs.values()), shard_pairs)):
        present = [arm for arm, count in pairs.items() if count > first]
        rows = slice(first, first + shard_pairs)
        held = [(values[arm][0][rows].T, values[arm][1][rows]) for arm in present]
        outcomes, live = (np.concatenate(parts, axis=-1) for parts in zip(*held, strict=True))
        frame = outcome_frame(present, [part.shape[1] for part, _ in held], outcomes, live, first, COLUMNS)
        paths.append(folder / f"shard.{number:05d}.parquet")
        write_table(frame, paths[-1])
    return paths


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    shard_pairs=st.integers(1, 45),
    group_rows=st.integers(1, 60),
    held=st.integers(1, 200),
)
def test_files_answer_as_memory_does(
    counts: list[int], shard_pairs: int, group_rows: int, held: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    pairs = {f"arm{number}": count for number, count in enumerate(counts)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurements, "GROUP_ROWS", group_rows)
        paths = write_shards(folder, pairs, shard_pairs)
    stored = FileTable(paths, held)
    frame = pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
    memory = MemoryTable(frame.sample(frac=1, random_state=0))
    assert set(stored.arms) == set(memory.arms) == set(pairs)
    assert stored.find_fault() is None
    assert memory.find_fault() is None
    for arm, count in pairs.items():
        assert stored.pairs(arm) == memory.pairs(arm) == count
        assert stored.live(arm) == memory.frame(arm)["live"].sum()
        own, other = (table.frame(arm).reset_index(drop=True) for table in (stored, memory))
        pd.testing.assert_frame_equal(own.astype({"arm": str}), other.astype({"arm": str}))
    least = min(counts)
    for column in (*COLUMNS, "live"):
        for chosen in (list(pairs), [*pairs][::-1], [next(iter(pairs))] * 2):
            assert np.array_equal(stored.block(chosen, column, least), memory.block(chosen, column, least))
    assert stored.read_all().astype({"arm": str}).equals(frame.astype({"arm": str}))


class Spy:
    """Counts the rows that are read from files."""

    def __init__(self) -> None:
        self.reads: list[int] = []
        self._read = tables.read_group

    def __call__(self, *arguments: Any) -> npt.NDArray[Any]:
        values = self._read(*arguments)
        self.reads.append(len(values))
        return values


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    spy = Spy()
    monkeypatch.setattr(tables, "read_group", spy)
    monkeypatch.setattr(measurements, "GROUP_ROWS", 100)
    return spy


def test_few_rows_are_read_for_an_arm_and_few_are_held(spy: Spy, tmp_path: Path) -> None:
    pairs = {f"arm{number:03d}": 40 for number in range(200)}
    table = FileTable(write_shards(tmp_path, pairs, 20), held=500)
    assert spy.reads == []
    table.block(("arm007",), "area", 40)
    # Its 20 rows of each of two shards: one group of 100 rows, or two where it lies across their border.
    assert sum(spy.reads) <= 400
    for arm in pairs:
        table.block((arm,), "area", 40)
        assert sum(map(len, table.held.values())) <= 500
    # In the order of the table, which is the plan's, every group is read about once.
    assert sum(spy.reads) <= 1.1 * 200 * 40 + 400


def test_a_block_of_all_arms_reads_each_group_once(spy: Spy, tmp_path: Path) -> None:
    pairs = {f"arm{number:03d}": 40 for number in range(200)}
    table = FileTable(write_shards(tmp_path, pairs, 20), held=100)
    found = table.block(tuple(pairs), "area", 40)
    assert found.shape == (200, 40)
    assert sum(spy.reads) == 200 * 40


def test_analysis_of_a_stored_run_never_loads_the_whole_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = {"base": 30, "other": 25}
    table = FileTable(write_shards(tmp_path, pairs, 8))
    plan = Plan("p", "s", "m", (), (), (), ("area",))
    empty = pd.DataFrame()
    stored = StoredMeasurements(plan, empty, table, empty, {})
    memory = Measurements(plan, empty, stored.outcomes, empty)

    def refuse(self: FileTable) -> pd.DataFrame:
        raise AssertionError("the whole table was loaded")

    monkeypatch.setattr(FileTable, "read_all", refuse)
    stored = stored.with_periods({"area": 2.0}, {})
    assert stored.periods == {"area": 2.0}
    assert np.array_equal(stored.values("other", "area"), memory.values("other", "area"))
    assert stored.arm("base")["pair"].tolist() == list(range(30))
    own, other = Outcomes(stored), Outcomes(memory)
    assert own.pairs(["base", "other"]) == other.pairs(["base", "other"]) == 25
    assert np.array_equal(own.block(["other", "base"], "area"), other.block(["other", "base"], "area"))
    for read in (stored.arm, lambda arm: stored.values(arm, "area")):
        with pytest.raises(KeyError):
            read("absent")
    with pytest.raises(KeyError):
        stored.values("base", "no such column")
    with pytest.raises(CausalVAEError, match="CV501"):
        own.block(["other"], "area", 26)
    with pytest.raises(AssertionError, match="loaded"):
        _ = stored.outcomes


def shuffle(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=1)


@pytest.mark.parametrize(
    "damage", [shuffle, lambda frame: pd.concat([frame, frame.iloc[:4]]), lambda frame: frame.iloc[[0, 2]]]
)
def test_a_table_that_the_engine_did_not_write_is_refused(
    damage: Callable[[pd.DataFrame], pd.DataFrame], tmp_path: Path
) -> None:
    paths = write_shards(tmp_path, {"a": 8, "b": 8, "c": 8}, 8)
    write_table(damage(pd.read_parquet(paths[0])), paths[0])
    with pytest.raises(CausalVAEError, match="CV406"):
        FileTable(paths)


@pytest.mark.parametrize("content", [b"", b"PAR1 cut short"])
def test_a_file_that_cannot_be_read_is_named(content: bytes, tmp_path: Path) -> None:
    paths = write_shards(tmp_path, {"a": 8}, 4)
    paths[1].write_bytes(content)
    with pytest.raises(CausalVAEError, match="CV406") as caught:
        FileTable(paths)
    assert str(paths[1]) in caught.value.message


def test_a_missing_shard_is_found_in_the_arms_that_it_cuts(tmp_path: Path) -> None:
    paths = write_shards(tmp_path, {"short": 4, "long": 12}, 4)
    assert FileTable([paths[0], paths[2]]).find_fault() == "long"
    assert FileTable(paths[1:]).find_fault() == "long"
    assert FileTable(paths).find_fault() is None


def fault_of(pairs: Sequence[int]) -> str | None:
    arms = ["a", "a", "b", "b", "b"]
    return MemoryTable(pd.DataFrame({"arm": arms, "pair": pairs, "area": 0.0})).find_fault()


def test_a_gap_in_memory_is_found() -> None:
    assert fault_of([1, 0, 2, 1, 0]) is None
    assert fault_of([0, 2, 0, 1, 2]) == "a"
    assert fault_of([0, 1, 0, 1, 1]) == "b"
    assert fault_of([0, 1, 1, 2, 3]) == "b"


def test_no_arms_at_all_are_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    write_table(outcome_frame([], [], np.empty((2, 0)), np.zeros(0, bool), 0, COLUMNS), path)
    table = FileTable([path])
    assert table.arms == ()
    assert len(table.read_all()) == 0
    assert FileTable([]).arms == ()


def test_a_group_of_rows_holds_its_own_arms_alone(tmp_path: Path) -> None:
    # With the ids of all arms in each group, a table of 88,000 arms was 28 times as large.
    (path,) = write_shards(tmp_path, {f"arm of a long name {number:06d}": 16 for number in range(2048)}, 16)
    metadata = pq.read_metadata(path)
    assert metadata.num_row_groups == 4
    ids = sum(len(f"arm of a long name {number:06d}") for number in range(2048))
    groups = [metadata.row_group(group).column(0).total_uncompressed_size for group in range(4)]
    assert sum(groups) < 1.5 * (ids + 4 * 2048)
    assert FileTable([path]).arms == tuple(f"arm of a long name {number:06d}" for number in range(2048))
