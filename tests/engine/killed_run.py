"""Runs a small plan many times, each disturbed at another touch of its folder: killed there, or overtaken.

A program of its own, so that a run can die as a killed process does: nothing is flushed, no clause is left. Each run is
a fork, which spares the seconds that loading takes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from causalvae.engine.execute import execute_plan
from causalvae.models.loading import Model, assemble
from tests.engine.conftest import SIDE, Blobs, small_vae
from tests.engine.test_engine_resume import PLAN
from tests.processes import fork, wait

KILLED = 9
# What Python tells its audit hooks of files: opening, renaming, linking, removing, making a folder.
_EVENTS = ("open", "os.rename", "os.link", "os.remove", "os.mkdir")


def read(images: Tensor) -> Tensor:
    flat = images.flatten(1).double()
    weights = torch.linspace(0, 1, SIDE * SIDE, dtype=torch.float64)
    return torch.stack([flat.sum(1), (flat * weights).sum(1), (flat**2).sum(1)], dim=1)


def run(model: Model, folder: Path) -> None:
    execute_plan(PLAN, model, Blobs(), read, folder, "cpu")


def at_touch(moment: int, folder: Path, happen: Callable[[int | None], None]) -> None:
    """Let `happen` be called once, before this process's `moment`-th touch of `folder`.

    It is given the file that is about to be made durable, where that is what the touch does.
    """
    left = moment
    durable = os.fsync

    def touch(file: int | None = None) -> None:
        nonlocal left
        left -= 1
        if left == -1:
            happen(file)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS and str(arguments[0]).startswith(str(folder)):
            touch()

    def fsync(file: int) -> None:
        touch(file)
        durable(file)

    sys.addaudithook(audit)
    os.fsync = fsync


def die(file: int | None) -> None:
    """End as if killed, a file cut in half: its last pages had not been written."""
    if file is not None:
        os.ftruncate(file, os.fstat(file).st_size // 2)
    os._exit(KILLED)


def kill_and_resume(model: Model, here: Path, moment: int) -> tuple[int, int]:
    """Exit codes of a run that is killed, 0 where it had ended before, and of the one that goes on from there."""

    def killed() -> None:
        at_touch(moment, here, die)
        run(model, here)

    return wait(fork(killed)), wait(fork(lambda: run(model, here)))


def overtake(model: Model, here: Path, moment: int) -> tuple[int, int]:
    """Exit codes of a run that stands still, 1000 more where it did, and of the one that runs whole meanwhile."""
    standing, resting = here.with_suffix(".standing"), here.with_suffix(".resting")

    def rest(file: int | None) -> None:
        standing.touch()
        while resting.exists():
            time.sleep(0.002)

    def slow() -> None:
        at_touch(moment, here, rest)
        run(model, here)

    resting.touch()
    first = fork(slow)
    while not standing.exists():
        if os.waitpid(first, os.WNOHANG) != (0, 0):
            return 0, 0
        time.sleep(0.002)
    second = wait(fork(lambda: run(model, here)))
    resting.unlink()
    return 1000 + wait(first), second


def main(folder: Path, what: str, step: int) -> None:
    torch.set_num_threads(1)
    model = assemble(small_vae(3), True, "small", {})
    disturb = {"kill": kill_and_resume, "overtake": overtake}[what]
    codes: list[tuple[int, int]] = []
    while not codes or codes[-1][0] != 0:
        moment = step * len(codes)
        codes.append(disturb(model, folder / f"{moment:04d}", moment))
    (folder / "codes.json").write_text(json.dumps(codes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
