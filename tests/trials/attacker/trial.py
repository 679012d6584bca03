"""Tries again what the attacker tried: fuzzers, flipped bits, stopped commands, processes at once, hostile text."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from causalvae.cli.app import app
from tests.fuzz.data_files import fuzz_data_files
from tests.fuzz.images import fuzz_images
from tests.fuzz.kills import kill_commands
from tests.fuzz.many_specs import check_specs
from tests.fuzz.memory import starve
from tests.fuzz.tables import fuzz_tables, kill_runs, rerun_flipped, simultaneous
from tests.fuzz.weights import fuzz_weights
from tests.trials.attacker.hostile import write_hostile
from tests.trials.attacker.outputs import browser_faults, csv_faults, markdown_faults, terminal_faults

Row = dict[str, Any]

# A full trial is hours on two cores: half of them for the specs.
_SPECS, _IMAGES, _FILES, _WEIGHTS, _FLIPS, _RERUNS, _STATES, _KILLS, _PROCESSES, _LIMITS = (
    1_000_000, 100_000, 60_000, 30_000, 60_000, 200, 200, 200, 10, 12,
)  # fmt: skip


def run(scale: float) -> list[Row]:
    """Try everything again.

    Parameters
    ----------
    scale : float
        1.0 is what the issue of the trials names; smaller values try proportionally less.
    """

    def share(count: int) -> int:
        return max(1, round(scale * count))

    rows = []
    checked = check_specs(share(_SPECS), seed=1)
    note = f"{checked['valid']:,} valid, {len(checked['codes'])} codes"
    rows.append(_row("specs", checked["specs"], len(checked["failures"]), note))
    images = fuzz_images(share(_IMAGES), 1)
    rows.append(_row("images", *_read(images)))
    rows.append(_row("tables and arrays", *_read(fuzz_data_files(share(_FILES), 1))))
    weights = fuzz_weights(share(_WEIGHTS), 1)
    rows.append(
        _row("weights", share(_WEIGHTS), sum(found["crashed"] for found in weights.values()), ", ".join(weights))
    )
    flips = fuzz_tables(share(_FLIPS), 1)
    rows.append(_row("flipped bits", share(_FLIPS), sum(found["missed"] for found in flips.values()), ", ".join(flips)))
    again = rerun_flipped(share(_RERUNS), 1)
    failed = sum(found["different"] for found in again.values())
    rows.append(_row("runs after a flipped bit", share(_RERUNS), failed, ", ".join(again)))
    for name, found in kill_commands(share(_STATES), 1).items():
        states = f"of {found['states']} states that its folder passes through"
        rows.append(_row(f"stopped and started again: {name}", found["tried"], found["tried"] - found["same"], states))
    for name, found in starve(share(_LIMITS)).items():
        note = f"{found['refused']} ended with CV415"
        rows.append(_row(f"little memory: {name}", found["tried"], len(found["faults"]), note))
    killed = kill_runs(share(_KILLS), 1)
    rows.append(
        _row("SIGKILL at random moments", killed["runs"], killed["different"], f"{killed['killed']} were killed")
    )
    at_once = simultaneous(max(2, share(_PROCESSES)))
    lost = at_once["processes"] - at_once["finished"] + 3 - at_once["same"]
    rows.append(_row("processes in one folder", at_once["processes"], lost, "a run, a training run and a study"))
    rows += try_hostile_text()
    return rows


def _row(what: str, tried: int, failed: int, note: str = "") -> Row:
    return {"what": what, "tried": tried, "failed": failed, "note": note}


def _read(counts: Any) -> tuple[int, int, str]:
    tried = sum(found.tried for found in counts.values())
    failed = sum(len(found.failures) for found in counts.values())
    return tried, failed, f"{sum(found.refused for found in counts.values()):,} refused"


def try_hostile_text(compared: bool = True) -> list[Row]:
    """Every output of a spec whose free text is hostile; those of a comparison take as long as all others."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        spec = write_hostile(folder / "specs")
        sides = spec.with_name("sides.yaml")
        text = spec.read_text(encoding="utf-8")
        sides.write_text(text + "variants: {a: {}, b: {data: {seed: 3}}}\n", encoding="utf-8")
        trusted = ["--allow-code"]
        printed = {
            "run": _called(["run", str(spec), "--out", str(folder / "runs"), *trusted]),
            "plan": _called(["plan", str(spec), *trusted]),
            "components": _called(["components", str(spec), *trusted]),
            "graph": _called(["graph", str(spec)]),
            "validate": _called(["validate", "--resolved", str(spec)]),
        }
        if compared:
            printed["compare"] = _called(["compare", str(sides), "--out", str(folder / "runs"), *trusted])
        pages, notes = sorted(folder.rglob("*.html")), sorted(folder.rglob("*.md"))
        tables = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("runs/**/*.csv")}
        found: list[tuple[str, int, Callable[[], list[str]]]] = [
            ("hostile text in a terminal", len(printed), lambda: _each(terminal_faults, printed)),
            (
                "hostile text in Markdown",
                len(notes),
                lambda: [odd for path in notes for odd in markdown_faults(path)],
            ),
            ("hostile text in CSV", len(tables), lambda: _each(csv_faults, tables)),
        ]
        if shutil.which("chromium") or os.environ.get("CHROMIUM"):
            found.append(("hostile text in a browser", len(pages), lambda: browser_faults(pages)))
        return [_row(what, tried, len(faults := look()), "; ".join(faults[:3])) for what, tried, look in found]


def _each(look: Callable[[str, str], list[str]], texts: dict[str, str]) -> list[str]:
    return [fault for name, text in texts.items() for fault in look(name, text)]


def _called(arguments: list[str]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        try:
            app(arguments)
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(f"{arguments} ended with {ended.code}: {said.getvalue()}") from ended
    return said.getvalue()


if __name__ == "__main__":
    for row in run(float(sys.argv[1])):
        sys.stdout.write(f"{row['what']}: {row['tried']:,} tried, {row['failed']} failed; {row['note']}\n")
