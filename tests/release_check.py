"""Builds the distributions and uses each one in a clean environment, without the repository.

``make release-check`` runs ``python -m tests.release_check``. It takes several minutes: torch is installed twice.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"

TRAIN = """\
spec: causalvae/train-v1
name: release
model: {architecture: burgess, latent_dim: 4}
objective: {name: vae}
batch_size: 16
steps: 10
"""


def main() -> int:
    """Build, install and use the wheel and the source distribution; 1 if a step fails."""
    options = argparse.ArgumentParser(prog="python -m tests.release_check", description=__doc__)
    options.add_argument("--keep", type=Path, help="copy the distributions into this folder")
    keep = options.parse_args().keep
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = build(folder / "dist")
        for distribution in built:
            use(distribution, folder / distribution.name.replace(".", "-"))
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            for distribution in built:
                shutil.copy(distribution, keep)
    sys.stdout.write("release check passed: " + ", ".join(distribution.name for distribution in built) + "\n")
    return 0


def build(folder: Path) -> list[Path]:
    """Build from a clean copy of what is committed, so that untracked files are neither needed nor included."""
    source = folder.parent / "source"
    source.mkdir(parents=True)
    archive = folder.parent / "source.tar"
    _run(["git", "archive", "--output", str(archive), "HEAD"], ROOT)
    shutil.unpack_archive(archive, source)
    _run([sys.executable, "-m", "build", "--outdir", str(folder), str(source)], ROOT)
    return sorted(folder.iterdir())


def use(distribution: Path, folder: Path) -> None:
    """Install one distribution into a new environment and run the commands there."""
    work = folder / "work"
    work.mkdir(parents=True)
    python = _environment(folder / "venv", distribution)
    command = [str(python.parent / "causalvae")]
    _run([*command, "--version"], work)
    _run([*command, "init", "--out", "spec.yaml"], work)
    _run([*command, "validate", "spec.yaml"], work)
    _run([*command, "run", "spec.yaml"], work)
    (work / "train.yaml").write_text(TRAIN, encoding="utf-8")
    _run([*command, "train", "train.yaml"], work)
    reports = [*work.glob("runs/**/report.html")]
    if not reports:
        raise SystemExit(f"{distribution.name}: no report was written below {work}")


def _environment(folder: Path, distribution: Path) -> Path:
    """The interpreter of a new virtual environment with one distribution."""
    _run([sys.executable, "-m", "venv", str(folder)], folder.parent)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(CONSTRAINTS)]
    # Alone and first, as in the Makefile: a range would take the newest build.
    _run([*pip, "torch==2.13.0"], folder.parent)
    _run([*pip, str(distribution)], folder.parent)
    return python


def _run(command: list[str], folder: Path) -> None:
    sys.stdout.write("$ " + " ".join(command) + "\n")
    sys.stdout.flush()
    # Nothing of the repository may be imported.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=folder, env=clean, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise SystemExit(f"exit code {done.returncode}:\n{done.stdout}")


if __name__ == "__main__":
    raise SystemExit(main())
