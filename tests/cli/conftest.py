from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

Invoke = Callable[..., Result]


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "GITHUB_ACTIONS"):
        if name in os.environ:
            monkeypatch.delenv(name)


@pytest.fixture
def invoke() -> Invoke:
    from causalvae.cli.app import app

    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def starter(tmp_path: Path, invoke: Invoke) -> Path:
    path = tmp_path / "starter.yaml"
    assert invoke("init", "--out", path).exit_code == 0
    return path
