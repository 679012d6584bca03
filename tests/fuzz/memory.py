"""Every command with little memory: it ends with a code, leaves no partial file, and finishes once there is more.

``python -m tests.fuzz.memory 20 --commands train,report`` prints the counts. The limit is that of the address space,
counted from what a process has once the libraries are loaded.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from causalvae.cli.app import main
from tests.fuzz.kills import COMMANDS, Command, finish, found_in, write_all
from tests.processes import fork, wait

_MIB: Final = 1 << 20
_LEAST, _MOST = _MIB // 4, 512 * _MIB
# Of the clock on the wall: a process that waits for ever uses no processor time.
_SECONDS: Final = 600
_READING: Final = (
    Command("validate", lambda specs, out: ["validate", str(specs / "run.yaml")]),
    Command("plan", lambda specs, out: ["plan", str(specs / "run.yaml")]),
)
LIMITED: Final = (*COMMANDS, *_READING)


def starve(steps: int, names: frozenset[str] | None = None) -> dict[str, dict[str, Any]]:
    """Run each command with more and more memory.

    Parameters
    ----------
    steps : int
        Limits, from a quarter of a MiB to half a GiB above what the process has.
    names : frozenset of str, optional
        The commands; all where left out.

    Returns
    -------
    dict
        Command -> ``tried``, ``refused`` (with CV415), ``finished`` and ``faults``.
    """
    torch.set_num_threads(1)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        specs = Path(place, "specs")
        write_all(specs)
        for command in LIMITED:
            if names is None or command.name in names:
                found[command.name] = _starve(command, specs, Path(place), steps)
    return found


def _starve(command: Command, specs: Path, place: Path, steps: int) -> dict[str, Any]:
    out, said = place / "out", place / "said"
    command.prepare(specs, out)
    arguments = command.arguments(specs, out)
    finish(arguments)
    expected = found_in(out)
    result: dict[str, Any] = {"tried": 0, "refused": 0, "finished": 0, "faults": []}
    for step in range(steps):
        room = round(_LEAST * (_MOST / _LEAST) ** (step / max(steps - 1, 1)))
        shutil.rmtree(out)
        command.prepare(specs, out)
        code = wait(fork(partial(_limited, arguments, room, said)))
        text = said.read_text(errors="replace")
        faults = []
        if code == 0:
            result["finished"] += 1
        elif code == _CODE and "CV415" in text:
            result["refused"] += 1
        else:
            faults.append(f"ended with {code}: {text[-300:]}")
        faults += [f"{path.name} is left" for path in out.rglob("*.partial")]
        again = wait(fork(partial(_limited, arguments, None, said)))
        faults += [f"the second start ended with {again}: {said.read_text()[-300:]}"] if again else []
        after = found_in(out)
        names = sorted(expected.keys() | after.keys())
        faults += [f"{name} differs" for name in names if expected.get(name) != after.get(name)]
        result["faults"] += [f"with {room / _MIB:.1f} MiB: {fault}" for fault in faults]
        result["tried"] += 1
    shutil.rmtree(out)
    return result


# That of a run that failed.
_CODE: Final = 3


def _limited(arguments: Sequence[str], room: int | None, said: Path) -> None:
    """Call a command with so many more bytes of address space, and end with its exit code."""
    signal.alarm(_SECONDS)
    with said.open("w", encoding="utf-8", errors="replace") as file:
        # Says where a process is that never ends.
        faulthandler.dump_traceback_later(_SECONDS - 10, file=file)
        os.dup2(file.fileno(), 2)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(file):
            if room is not None:
                used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
            code: Any = 0
            try:
                sys.argv = ["causalvae", *arguments]
                main()
            except SystemExit as ended:
                code = ended.code or 0
            except BaseException as error:
                file.write(f"{type(error).__name__}: {error}")
                code = 1
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os._exit(code)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", type=int)
    parser.add_argument("--commands", default="")
    given = parser.parse_args()
    counts = starve(given.steps, frozenset(given.commands.split(",")) if given.commands else None)
    sys.stdout.write(json.dumps(counts, indent=1) + "\n")
