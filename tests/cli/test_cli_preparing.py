from __future__ import annotations

import errno
import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

import causalvae
from causalvae.cli import doctor


def test_the_starter_spec_is_valid_and_commented(invoke, starter: Path) -> None:
    assert invoke("validate", starter).exit_code == 0
    text = starter.read_text()
    assert text.count("#") > 10
    levels = {intervention.level.kind for intervention in causalvae.load_spec(starter).interventions}
    assert levels == {"input", "latent", "activation", "mediation"}, "it shows every level of intervention"


def test_init_does_not_overwrite_unless_told(invoke, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    done = invoke("init", "--out", path)
    assert done.exit_code == 3
    assert "CV411" in done.stderr
    assert path.read_text() == "precious"
    assert invoke("init", "--out", path, "--force").exit_code == 0
    assert path.read_text() != "precious"


def test_init_prints_on_demand_and_names_an_impossible_place(invoke, tmp_path: Path, starter: Path) -> None:
    assert invoke("init", "--out", "-").stdout == starter.read_text()
    done = invoke("init", "--out", tmp_path / "no" / "folder.yaml")
    assert done.exit_code == 3
    assert "CV412" in done.stderr


def test_a_full_disk_is_no_fault_of_the_folder(invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("causalvae.cli.preparing.write_once", refuse)
    done = invoke("init", "--out", tmp_path / "new.yaml")
    assert done.exit_code == 3
    assert "CV410" in done.stderr
    assert "Free some space" in done.stderr


def test_the_schema_accepts_the_starter_and_refuses_a_typing_error(invoke, tmp_path: Path, starter: Path) -> None:
    path = tmp_path / "schema.json"
    assert invoke("schema", "--out", path).exit_code == 0
    schema = json.loads(path.read_text())
    assert json.loads(invoke("schema").stdout) == schema
    plain = YAML(typ="safe", pure=True).load(starter.read_text())
    jsonschema.validate(plain, schema)
    plain["hypothesis"] = []
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain, schema)


def test_kinds_are_listed_with_their_distributions(invoke) -> None:
    listed = json.loads(invoke("kinds", "--json").stdout)["kinds"]
    named = {(row["family"], row["name"]): row for row in listed}
    assert named["readout", "area"]["distribution"] == "causalvae"
    assert named["data source", "ising"]["distribution"] == "causalvae-neighbours"
    assert all(row["summary"] for row in listed)
    shown = invoke("kinds").stdout
    assert "annealed_capacity" in shown and "causalvae-neighbours" in shown


def test_doctor_names_what_is_missing(invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_weights", lambda: ["builtin://one"])
    done = invoke("doctor")
    assert done.exit_code == 0
    assert "builtin://one" in done.stdout
    assert "torch" in done.stdout
    content = json.loads(invoke("doctor", "--json").stdout)
    assert content["problems"] == []
    assert content["libraries"]["torch"]

    monkeypatch.setattr(doctor, "REQUIRED", (*doctor.REQUIRED, "no-such-library"))
    done = invoke("doctor")
    assert done.exit_code == 3
    assert "no-such-library is not installed" in done.stdout


def test_version_and_help(invoke) -> None:
    assert invoke("--version").stdout.startswith("causalvae ")
    done = invoke("--help")
    assert done.exit_code == 0
    for command in ("init", "validate", "components", "plan", "run", "report", "train", "schema", "kinds", "doctor"):
        assert command in done.stdout
    assert "..." not in done.stdout.split("Commands:")[1], "every command's help fits its line"
