"""What the README says is so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from causalvae.cli.app import app
from causalvae.spec import parse_spec

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_tables_of_models_are_what_the_weights_say() -> None:
    source = importlib.util.spec_from_file_location("model_table", ROOT / "docs" / "model_table.py")
    assert source is not None and source.loader is not None
    module = importlib.util.module_from_spec(source)
    source.loader.exec_module(module)
    assert module.table() in page("models.md")
    assert module.brief_table() in README


def test_every_command_is_listed_and_every_listed_command_exists() -> None:
    listed = set(re.findall(r"^\| `causalvae (\w+)", page("commands.md"), flags=re.MULTILINE))
    assert listed == set(get_command(app).commands)  # type: ignore[attr-defined]


def test_the_example_spec_is_valid() -> None:
    (text,) = [
        block for block in re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL) if "spec: causalvae" in block
    ]
    spec, diagnostics = parse_spec(text)
    assert spec is not None, diagnostics


def test_the_demo_output_is_of_the_demo_spec() -> None:
    (output,) = re.findall(r"```\n(\ndsprites-scale.*?)```", page("demo.md"), flags=re.DOTALL)
    demo = YAML(typ="safe").load(ROOT / "specs" / "dsprites_scale.yaml")
    for hypothesis in demo["hypotheses"]:
        assert hypothesis["name"] in output


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    for link in links:
        assert "://" in link or (path.parent / link).exists(), link
