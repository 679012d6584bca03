"""The examples in docstrings run, from a folder with the repository's specs and examples, as they stand."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import causalvae

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for path in (ROOT / "causalvae").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
# Training and studies take too long; the how-to guides and docs/study.md have their commands.
WITHOUT = {
    "train",
    "run_study",
    "TrainOutcome",
    "StudyOutcome",
    "execute",
    "measure",
    "explain",
    "open_session",
    "run_analysis",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a clone is, whose runs are shared by all examples."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("specs", "examples"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    found = doctest.testmod(importlib.import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted and not found.failed


def test_public_objects_have_an_example() -> None:
    without = {name for name in causalvae.__all__ if ">>> " not in (getattr(causalvae, name).__doc__ or "")}
    assert without <= WITHOUT
    assert not any("+SKIP" in (getattr(causalvae, name).__doc__ or "") for name in causalvae.__all__)
