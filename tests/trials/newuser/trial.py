"""Brings three tutorial networks, a table of cells and a folder of photographs to reports, as a new user would."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
SPECS = ("conv", "cvae", "vq", "cells", "photos")


def prepare(folder: Path, scale: float = 0.1) -> None:
    """Copy the inputs into a folder, make the data there and train the networks.

    Parameters
    ----------
    folder : Path
    scale : float
        Share of the samples and training steps of the full trial: 1,500 samples and 1,500 steps.
    """
    for file in HERE.glob("*"):
        if file.suffix in (".py", ".yaml"):
            shutil.copy(file, folder / file.name)
    done = subprocess.run(
        [sys.executable, "training.py", str(scale)], cwd=folder, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)


def _command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "causalvae", *arguments], cwd=folder, check=False, capture_output=True, text=True
    )


def _report(folder: Path, name: str) -> str:
    """What is wrong after `validate` and `run` of a spec; empty if a report with a verdict was written."""
    for command in (("validate",), ("run", "--allow-code", "--out", f"runs/{name}")):
        done = _command(folder, command[0], f"{name}.yaml", *command[1:])
        if done.returncode:
            return f"{command[0]} {name}: {done.stderr[-300:]}"
    (found,) = (folder / "runs" / name).rglob("results.json")
    verdicts = json.loads(found.read_text())["verdicts"]
    return "" if verdicts and found.with_name("report.html").is_file() else f"{name}: no verdict or no report"


def _first_spec(folder: Path, weights: str, data: str) -> str:
    """What is wrong after `init`; empty if a spec was written."""
    out = f"first-{Path(data).stem}.yaml"
    done = _command(folder, "init", "--from", weights, "--data", data, "--out", out)
    return done.stderr[-300:] if done.returncode or not (folder / out).is_file() else ""


def run(scale: float) -> list[dict[str, object]]:
    """Try the five tasks again, and `init` on the data of each."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder, max(scale, 0.02))
        tried: dict[str, list[Callable[[], str]]] = {
            "specs of a new user, from validate to the report": [
                lambda name=name: _report(folder, name) for name in SPECS
            ],
            "init --from weights --data of a new user": [
                lambda pair=pair: _first_spec(folder, *pair)
                for pair in (
                    ("conv.pt", "digits.npz"), ("vq.pt", "tones.npz"), ("scvi.pt", "cells.csv"),
                    ("photos.safetensors", "photos"),
                )
            ],
        }  # fmt: skip
        rows: list[dict[str, object]] = []
        for what, attempts in tried.items():
            wrong = [message for message in (attempt() for attempt in attempts) if message]
            rows.append({"what": what, "tried": len(attempts), "failed": len(wrong), "note": "; ".join(wrong)})
        return rows


if __name__ == "__main__":
    for row in run(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0):
        sys.stdout.write(f"{row}\n")
