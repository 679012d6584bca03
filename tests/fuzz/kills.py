"""Every command that writes, stopped before each thing that it does to a file, and started again.

What a process leaves that SIGKILL ends is what its folder holds at that moment, so the folder is copied then.

``python -m tests.fuzz.kills 200 --commands run,fmt`` prints the counts.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import yaml
from safetensors.torch import load_file

from causalvae.cli.app import app
from causalvae.errors import CausalVAEError
from causalvae.files import read_sealed
from causalvae.spec import load_spec
from tests.fuzz.small_run import results_of, write_specs
from tests.processes import fork, wait

# What a process does to files, as Python reports it: one that is killed has done some of these and not the next.
_TOUCHES: Final = frozenset(
    {"open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate"}
)
_SEALED: Final = frozenset({".json", ".parquet", ".safetensors", ".pt"})
_QUICK: Final = """
estimation: {bootstrap: 40, dowhy: false, gcm: false}
alignment: {pairs: 24}
"""


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Parameters
    ----------
    name : str
    arguments : callable
        From the folder of specs and the folder to write in to its arguments.
    prepare : callable
        Puts into the folder to write in what the command changes.
    """

    name: str
    arguments: Callable[[Path, Path], list[str]]
    prepare: Callable[[Path, Path], object] = lambda specs, out: out.mkdir()


def _copy_run(specs: Path, out: Path) -> None:
    shutil.copytree(specs / "done", out)


def _untidy(specs: Path, out: Path) -> None:
    out.mkdir()
    (out / "spec.yaml").write_text((specs / "run.yaml").read_text().replace(": ", ":   "))


COMMANDS: Final[tuple[Command, ...]] = (
    Command("run", lambda specs, out: ["run", str(specs / "run.yaml"), "--out", str(out), "--quiet"]),
    Command("train", lambda specs, out: ["train", str(specs / "train.yaml"), "--out", str(out), "--quiet"]),
    Command("study", lambda specs, out: ["study", str(specs / "study.yaml"), "--out", str(out), "--quiet"]),
    Command("compare", lambda specs, out: ["compare", str(specs / "sides.yaml"), "--out", str(out), "--quiet"]),
    Command("discover", lambda specs, out: ["discover", str(specs / "sought.yaml"), "--out", str(out), "--quiet"]),
    Command("report", lambda specs, out: ["report", str(_of_run(out))], _copy_run),
    Command("figures", lambda specs, out: ["report", str(_of_run(specs / "done")), "--figures", str(out)]),
    Command("fmt", lambda specs, out: ["fmt", str(out / "spec.yaml")], _untidy),
    Command("init", lambda specs, out: ["init", "--force", "--out", str(out / "new.yaml")]),
    Command("init --from", lambda specs, out: [*_own(specs), "--force", "--out", str(out / "new.yaml")]),
    Command("graph", lambda specs, out: ["graph", str(specs / "run.yaml"), "--out", str(out / "graph.dot")]),
    Command("schema", lambda specs, out: ["schema", "--out", str(out / "schema.json")]),
)  # fmt: skip


# Commands that take a second for each state.
COSTLY: Final = frozenset({"run", "train", "study", "compare", "discover"})


def _own(specs: Path) -> list[str]:
    return ["init", "--from", str(specs / "own.pt"), "--data", str(specs / "own.csv")]


def _of_run(folder: Path) -> Path:
    (results,) = folder.glob("small/*/results.json")
    return results.parent


def kill_commands(count: int, seed: int, names: frozenset[str] | None = None) -> dict[str, dict[str, Any]]:
    """Stop each command at so many moments, and start it again from what is then in its folder.

    Parameters
    ----------
    count : int
        Moments of each command; where it does less to files, each of them.
    seed : int
    names : frozenset of str, optional
        The commands; all where left out.

    Returns
    -------
    dict
        Command -> ``states`` (how often an undisturbed command does something to a file), ``tried``, ``same`` (the
        second start ended with the files of an undisturbed one, and no partial file) and ``faults`` (what was
        otherwise, and files that were not whole where a reader finds them).
    """
    torch.set_num_threads(1)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        specs = Path(place, "specs")
        write_all(specs)
        for command in COMMANDS:
            if names is None or command.name in names:
                found[command.name] = _kill(command, specs, Path(place), count, seed)
    return found


def write_all(specs: Path) -> None:
    run, train, _ = write_specs(specs)
    run.write_text(run.read_text() + _QUICK)
    train.write_text(train.read_text().replace("steps: 40", "steps: 16"))
    (specs / "sides.yaml").write_text(run.read_text() + "variants: {a: {}, b: {data: {seed: 3}}}\n")
    torch.save({"own": torch.zeros(2)}, specs / "own.pt")
    (specs / "own.csv").write_text("a,b\n" + "0.5,1\n1,0.25\n" * 20)
    sought = "discoveries: {circuits: [{name: d, treatment: change, outcome: seen, halves: 2}], pairs: 24}\n"
    (specs / "sought.yaml").write_text(run.read_text() + sought)
    finish(["run", str(run), "--out", str(specs / "done"), "--quiet"])


def finish(arguments: list[str]) -> None:
    code = wait(fork(lambda: _call(arguments)))
    if code:
        raise RuntimeError(f"{arguments} ended with {code}")


def _call(arguments: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            app(arguments)
        except SystemExit as ended:
            # `fmt` and `init` end with 0.
            if ended.code:
                raise


def _kill(command: Command, specs: Path, place: Path, count: int, seed: int) -> dict[str, Any]:
    out = place / "out"
    command.prepare(specs, out)
    before, arguments = _digests(out), command.arguments(specs, out)
    states = place / "states"
    states.mkdir()
    code = wait(fork(lambda: _keep_states(arguments, out, states)))
    if code:
        raise RuntimeError(f"{command.name} ended with {code}")
    expected, kept = found_in(out), sorted(states.iterdir())
    if count < len(kept):
        # Evenly spread, at a different place in each part.
        draw = random.Random(f"{command.name}/{seed}")
        kept = [kept[int((number + draw.random()) * len(kept) / count)] for number in range(count)]
    result: dict[str, Any] = {"states": len(list(states.iterdir())), "tried": 0, "same": 0, "faults": []}
    for state in kept:
        shutil.rmtree(out)
        shutil.copytree(state, out, symlinks=True)
        faults = _broken(out, expected, before)
        code = wait(fork(lambda: _call(arguments)))
        after = found_in(out)
        faults += [f"the second start ended with {code}"] if code else []
        names = sorted(expected.keys() | after.keys())
        faults += [f"{name} differs" for name in names if expected.get(name) != after.get(name)]
        faults += [f"{path.name} is left" for path in out.rglob("*.partial")]
        result["faults"] += [f"stopped at {state.name}: {fault}" for fault in faults]
        result["tried"] += 1
        result["same"] += not faults
    shutil.rmtree(out)
    shutil.rmtree(states)
    return result


def _touches(event: str, given: tuple[object, ...], out: Path) -> bool:
    """Whether an event of Python's audit is something that is done to a file below `out`."""
    return event in _TOUCHES and any(
        isinstance(each, str | os.PathLike) and str(out) in str(each) for each in given[:2]
    )


def _keep_states(arguments: list[str], out: Path, states: Path) -> None:
    """Call a command, and copy its folder before each thing that it does to a file there."""
    kept, busy = [0], [False]

    def note(event: str, given: tuple[object, ...]) -> None:
        if busy[0] or not _touches(event, given, out):
            return
        busy[0] = True
        shutil.copytree(out, states / f"{kept[0]:05d}", symlinks=True)
        kept[0] += 1
        busy[0] = False

    sys.addaudithook(note)
    _call(arguments)


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def found_in(folder: Path) -> dict[str, object]:
    """The files of a command without what differs from run to run: times, and what was already there."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name.endswith(".partial"):
            continue
        if path.parent.name == "costs":
            # The costs of each process that measured something.
            continue
        found[name] = _content(path)
    return found


def _content(path: Path) -> object:
    if path.name == "results.json":
        return json.dumps(results_of(path.parent), sort_keys=True)
    if path.suffix == ".json":
        return sorted(_flat(json.loads(path.read_text())))
    if path.name == "checkpoint.pt":
        # Times are among what it holds.
        return "there"
    if path.suffix == ".safetensors":
        return {name: value.tolist() for name, value in load_file(path).items()}
    if path.suffix in (".parquet", ".yaml", ".dot", ".svg"):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    # Reports and logs have times in them.
    return "there"


def _flat(value: Any, path: str = "") -> list[str]:
    """Keys and values, without times and digests of files that hold times."""
    if isinstance(value, Mapping):
        left_out = {"checksum", "seconds", "execution", "costs", "files", "finished", "began"}
        return [
            line
            for key, inner in value.items()
            if key not in left_out and "second" not in key
            for line in _flat(inner, f"{path}.{key}")
        ]
    if isinstance(value, list):
        return [line for place, inner in enumerate(value) for line in _flat(inner, f"{path}[{place}]")]
    return [f"{path}={value!r}"]


def _broken(out: Path, expected: Mapping[str, object], before: Mapping[str, str]) -> list[str]:
    """Files of a stopped process that a reader would find and that are not whole."""
    faults = []
    for path in out.rglob("*"):
        name = path.relative_to(out).as_posix()
        if not path.is_file() or name.endswith(".partial"):
            continue
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() == before.get(name):
                continue
            if path.name == "spec.yaml" and "small" in name:
                load_spec(path)
            elif path.suffix in _SEALED and path.name != "schema.json":
                read_sealed(path)
            elif path.suffix == ".html":
                faults += [] if path.read_text().rstrip().endswith("</html>") else [f"{name} is cut short"]
            elif path.suffix == ".yaml":
                yaml.safe_load(path.read_text())
            if name in expected and isinstance(expected[name], str) and path.suffix in (".dot", ".svg", ".yaml"):
                faults += [] if _content(path) == expected[name] else [f"{name} is neither old nor new"]
        except (CausalVAEError, OSError, ValueError) as error:
            faults.append(f"{name}: {type(error).__name__}: {error}"[:200])
    return faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", default="")
    given = parser.parse_args()
    counts = kill_commands(given.count, given.seed, frozenset(given.commands.split(",")) if given.commands else None)
    sys.stdout.write(json.dumps(counts, indent=1) + "\n")
