"""What pages say of estimands and readouts is what the registries know."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import causalvae
from causalvae.spec.readout_section import READOUTS
from tests.docs.pages import ROOT

ESTIMANDS = sorted((ROOT / "docs" / "estimands").glob("*.md"))


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    source = importlib.util.spec_from_file_location("registry_tables", ROOT / "docs" / "registry_tables.py")
    assert source is not None and source.loader is not None
    module = importlib.util.module_from_spec(source)
    source.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "page", [*ESTIMANDS, *(ROOT / "docs" / f"{name}.md" for name in ("readouts", "kinds"))], ids=lambda page: page.stem
)
def test_pages_are_as_the_script_writes_them(page: Path, tables: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    assert tables.written(text) == text, "run `make generated`"


def test_every_estimand_is_on_one_page_that_has_a_source(tables: ModuleType) -> None:
    named = []
    for page in ESTIMANDS:
        text = page.read_text(encoding="utf-8")
        named += re.findall(r"<!-- registry: (\w+) -->", text)
        if page.stem != "index":
            assert re.search(r"^## Source\n\n- \S", text, flags=re.MULTILINE), page
    missing = sorted(tables.estimands().keys() - set(named))
    assert not missing, f"write docs/estimands/{missing[0]}.md, as docs/estimands/off_target.md is, for {missing}"
    assert sorted(named) == sorted([*tables.estimands(), "estimands", "scores"])


def test_a_page_of_an_older_registry_is_not_as_the_script_writes_it(tables: ModuleType) -> None:
    text = (ROOT / "docs" / "estimands" / "interaction.md").read_text(encoding="utf-8")
    assert tables.written(text.replace("interaction = TE", "interaction = NDE")) == text


def test_every_readout_is_listed() -> None:
    page = (ROOT / "docs" / "readouts.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (\w+)$", page, flags=re.MULTILINE) == list(READOUTS.own)


def test_the_python_interface_lists_every_public_name() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    listed = re.findall(r"^::: causalvae\.(\w+)$", page, flags=re.MULTILINE)
    assert sorted(listed) == sorted(causalvae.__all__)
