"""The table of a training run is whole, whenever its process was killed."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pandas as pd
import pytest

from causalvae.errors import CausalVAEError
from causalvae.training.log import LOG, TrainingLog, read_log


def row(step: int) -> dict[str, float]:
    return {"step": step, "seconds": step / 3, "loss": 1 / step, "kl": -1e-9 * step}


def write(folder: Path, steps: tuple[int, ...]) -> None:
    with TrainingLog(folder) as log:
        for step in steps:
            log.append(row(step))


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    write(tmp_path, (3, 6, 9))
    assert read_log(tmp_path) == [row(3), row(6), row(9)]
    table = pd.read_csv(tmp_path / LOG)
    assert list(table.columns) == ["step", "seconds", "loss", "kl"]
    assert table["step"].tolist() == [3, 6, 9]
    assert read_log(tmp_path / "absent") == []


@pytest.mark.parametrize("content", [b"", b"step,seco", b"step,seconds,loss,kl\n3,1.0,0.", b"\xff\x00"])
def test_the_table_is_written_anew_from_the_checkpoints_rows(content: bytes, tmp_path: Path) -> None:
    """Whatever a killed process or a damaged disk left of the table."""
    write(tmp_path, (3, 6, 9))
    whole = (tmp_path / LOG).read_bytes()
    (tmp_path / LOG).write_bytes(content)
    with TrainingLog(tmp_path, [row(3), row(6)]) as log:
        assert read_log(tmp_path) == [row(3), row(6)]
        log.append(row(9))
    assert (tmp_path / LOG).read_bytes() == whole


def test_a_new_run_starts_a_new_table(tmp_path: Path) -> None:
    write(tmp_path, (3, 6))
    with TrainingLog(tmp_path) as log:
        assert read_log(tmp_path) == []
        assert log.last is None
        log.append(row(4))
    assert read_log(tmp_path) == [row(4)]


def test_tensorboard_that_is_absent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CausalVAEError) as caught:
        TrainingLog(tmp_path, tensorboard=True)
    assert caught.value.code == "CV424"
    assert "pip install tensorboard" in caught.value.remedy
    TrainingLog(tmp_path)


def test_scalars_are_those_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, float, int]] = []
    made: list[tuple[str, int | None]] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int | None = None) -> None:
            made.append((folder, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            seen.append((name, value, step))

        def flush(self) -> None:
            seen.append(("flush", 0.0, 0))

        def close(self) -> None:
            seen.append(("close", 0.0, 0))

    monkeypatch.setattr("importlib.util.find_spec", lambda name: types.SimpleNamespace(name=name))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    with TrainingLog(tmp_path, [row(3), row(6)], tensorboard=True) as log:
        log.append(row(9))
    told = [item for item in seen if item[0] not in ("flush", "close")]
    assert told == [(name, value, 9) for name, value in row(9).items() if name != "step"]
    assert seen[-2:] == [("flush", 0.0, 0), ("close", 0.0, 0)]
    assert made == [(str(tmp_path / "tensorboard"), 7)]
