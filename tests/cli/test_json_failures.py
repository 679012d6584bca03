"""With ``--json`` every exit of every command prints one JSON object on standard output."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from causalvae.cli.app import app

SPEC = "spec: causalvae/v1\nname: x\n"


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    with pytest.raises(SystemExit) as ended:
        app(list(arguments))
    told = json.loads(capsys.readouterr().out)
    assert isinstance(told, dict)
    return int(ended.value.code or 0), told


@pytest.mark.parametrize("command", ["run", "components", "plan", "train", "compare", "study"])
def test_a_refused_spec(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    code, told = outcome(capsys, command, str(path), "--json")
    assert code == 2
    assert told["error"]["code"].startswith("CV0")
    assert told["diagnostics"]


@pytest.mark.parametrize("command", ["validate", "run", "components", "plan", "train", "compare", "study", "report"])
def test_a_file_that_is_missing(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = outcome(capsys, command, str(tmp_path / "none.yaml"), "--json")
    assert code in (2, 3)
    assert told.get("valid") is False or told["error"]["code"].startswith("CV")


@pytest.mark.parametrize("command", ["validate", "run", "init", "schema", "doctor"])
def test_a_wrong_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = outcome(capsys, command, "--json", "--no-such-option")
    assert code == 2
    assert told["error"]["code"] == "CV417"
    assert "--no-such-option" in told["error"]["message"]


def test_a_fault_of_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("causalvae.report.load_results", fail)
    code, told = outcome(capsys, "report", str(tmp_path), "--json")
    assert code == 3
    assert told["error"]["code"] == "CV499"
    assert "planted" in told["error"]["message"]


def test_an_interruption(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("causalvae.report.load_results", stop)
    code, told = outcome(capsys, "report", str(tmp_path), "--json")
    assert code == 128 + signal.SIGINT
    assert told["error"]["code"] == "CV418"


def test_commands_that_write_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, schema = tmp_path / "spec.yaml", tmp_path / "schema.json"
    assert outcome(capsys, "init", "--out", str(spec), "--json") == (0, {"file": str(spec)})
    assert spec.exists()
    assert outcome(capsys, "schema", "--out", str(schema), "--json") == (0, {"file": str(schema)})
    code, told = outcome(capsys, "init", "--out", str(spec), "--json")
    assert (code, told["error"]["code"]) == (3, "CV411")
