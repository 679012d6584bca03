"""`validate`: folders, settings, and formats for other programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from causalvae.cli.diagnostic_formats import github_commands, sarif_log
from causalvae.spec.diagnostics import Diagnostic

# What SARIF 2.1.0 (OASIS, 2020) requires of the objects that are written, and the ranges of their values.
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "$schema": {"type": "string", "format": "uri"},
        "runs": {
            "type": "array",
            "items": {
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id"],
                                            "properties": {"shortDescription": {"required": ["text"]}},
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {
                        "type": "array",
                        "items": {
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": -1},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"type": "object", "required": ["text"]},
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {
                                                            "uri": {"type": "string", "pattern": "^[^ \\\\\\\\]*$"}
                                                        }
                                                    },
                                                    "region": {
                                                        "properties": {
                                                            "startLine": {"type": "integer", "minimum": 1},
                                                            "startColumn": {"type": "integer", "minimum": 1},
                                                            "endColumn": {"type": "integer", "minimum": 1},
                                                            "snippet": {"type": "object"},
                                                        }
                                                    },
                                                },
                                            }
                                        }
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture
def project(tmp_path: Path, starter: Path) -> Path:
    """A folder with two specs, one of them bad, and files that are none."""
    folder = tmp_path / "project"
    for name in ("good.yaml", "deep/er/bad one.yml", ".hidden/bad.yaml", "runs/x/0/spec.yaml"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        bad = "" if name == "good.yaml" else "zzz: 1\n"
        path.write_text(starter.read_text() + bad)
    (folder / "runs/x/0/manifest.json").write_text("{}")
    (folder / "compose.yaml").write_text("services: {}\n")
    return folder


def test_a_folder_is_all_specs_below_it(invoke, project: Path) -> None:
    done = invoke("validate", project)
    assert done.exit_code == 2
    assert [line[:1] for line in done.stdout.splitlines()] == ["✗", "✓"]
    assert "zzz" in done.stderr and "compose" not in done.stdout + done.stderr
    (project / "deep/er/bad one.yml").unlink()
    assert invoke("validate", project, project / "good.yaml").stdout.count("✓") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs paths relative to an open folder")
def test_folders_that_are_too_deep_are_named(invoke, tmp_path: Path) -> None:
    start = place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(2100):
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY, dir_fd=place)
        if place != start:
            os.close(place)
        place = inner
    os.close(place)
    os.close(start)
    done = invoke("validate", tmp_path)
    assert done.exit_code == 3
    assert "CV410" in done.stderr and "d/d/d/d" in done.stderr
    # Deeper than pytest removes.
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_a_file_that_is_named_as_a_spec_is_one(invoke, tmp_path: Path) -> None:
    (tmp_path / "x.causal.yaml").write_text("name: x\n")
    assert "CV021" in invoke("validate", tmp_path).stderr


def test_a_folder_without_specs_is_an_error(invoke, tmp_path: Path) -> None:
    done = invoke("validate", tmp_path)
    assert done.exit_code == 2
    assert "CV431" in done.stderr and "spec: causalvae/" in done.stderr


def test_sarif(invoke, project: Path) -> None:
    done = invoke("validate", project, "--format", "sarif")
    assert done.exit_code == 2 and done.stderr == ""
    log = json.loads(done.stdout)
    jsonschema.Draft7Validator(SARIF).validate(log)
    (run,) = log["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "CV020"
    place = result["locations"][0]["physicalLocation"]
    assert unquote(place["artifactLocation"]["uri"]) == (project / "deep/er/bad one.yml").as_uri().replace("%20", " ")
    assert place["region"]["snippet"]["text"] == "zzz: 1"
    assert (place["region"]["startColumn"], place["region"]["endColumn"]) == (1, 4)


def test_sarif_has_no_place_for_a_setting(invoke, project: Path) -> None:
    log = json.loads(invoke("validate", project / "good.yaml", "--set", "data.seed=-1", "--format", "sarif").stdout)
    jsonschema.Draft7Validator(SARIF).validate(log)
    assert "locations" not in log["runs"][0]["results"][0]


def test_sarif_without_faults_is_a_run_without_results(invoke, project: Path) -> None:
    done = invoke("validate", project / "good.yaml", "--format", "sarif")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["runs"][0]["results"] == []


def unescaped(text: str) -> str:
    for code, char in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_github_commands_are_escaped() -> None:
    hostile = "a%0A::error::b\n::set-output name=x::y\r\x1b[2J, c: d"
    fault = Diagnostic("CV020", "error", hostile, "a,b:c\n.yaml", 3, 5, "x", hostile, length=4)
    (line,) = github_commands([fault])
    assert not set(line) & set("\n\r\x1b")
    head, _, message = line[2:].partition("::")
    assert head.startswith("error file=a%2Cb%3Ac%0A.yaml,line=3,col=5,endColumn=9,title=CV020 ")
    assert unescaped(message) == f"{hostile}. {hostile}".replace("\x1b", "\N{REPLACEMENT CHARACTER}")


def test_github_prints_one_line_for_each_fault(invoke, project: Path) -> None:
    done = invoke("validate", project, "--format", "github")
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error file=") and done.exit_code == 2
    done = invoke("validate", project / "good.yaml", "--set", "data.seed=-1", "--format=github")
    assert done.stdout.startswith("::error title=CV024")


def test_the_log_of_hostile_text_is_valid() -> None:
    fault = Diagnostic("CV020", "error", "\x1b\u202e", "a b%\u202e.yaml", 3, 5, "\x00", length=4)
    jsonschema.Draft7Validator(SARIF).validate(sarif_log([fault]))


def test_json_is_a_format(invoke, project: Path) -> None:
    assert invoke("validate", project, "--json").stdout == invoke("validate", project, "--format", "json").stdout
    assert invoke("validate", project, "--json", "--format", "sarif").exit_code == 2


def test_the_resolved_spec_is_a_spec(invoke, project: Path, tmp_path: Path) -> None:
    done = invoke("validate", project / "good.yaml", "--set", "data.samples=64", "--resolved")
    assert done.exit_code == 0
    assert "  samples: 64  # --set data.samples=64\n" in done.stdout
    again = tmp_path / "again.yaml"
    again.write_text(done.stdout)
    digest = json.loads(invoke("validate", again, "--json").stdout)["files"][0]["digest"]
    assert digest in done.stderr


@pytest.mark.parametrize("form", ["text", "github", "sarif", "json"])
def test_no_format_loads_a_heavy_library(project: Path, form: str) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['causalvae', 'validate', {str(project / 'good.yaml')!r}, '--resolved', '--format', {form!r}]\n"
        "from causalvae.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        "heavy = {'torch', 'pandas', 'numpy', 'networkx', 'jinja2', 'pyarrow'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "loaded: []", done.stderr


@pytest.mark.skipif(os.name == "nt", reason="names of files hold no line ends there")
@pytest.mark.parametrize("command", ["validate", "fmt"])
def test_names_of_files_are_no_workflow_commands(invoke: Any, tmp_path: Path, command: str) -> None:
    folder = tmp_path / "a\n::error::x"
    folder.mkdir()
    (folder / "spec.yaml").write_text("spec:   causalvae/v1\n")
    done = invoke(command, str(tmp_path))
    assert "::error::x/spec.yaml" in done.stdout + done.stderr
    assert not any(line.startswith("::") for line in (done.stdout + done.stderr).splitlines())
