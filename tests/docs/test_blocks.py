"""Every block of the documentation is checked, or a comment above it says why it is not.

A spec, or a part of one, is validated; a command line has options that exist; a Python block runs. Whole pages with
files, commands and output are run by `test_stories.py`.
"""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from causalvae.cli.app import app
from causalvae.spec import parse_spec
from causalvae.spec.loader import parse_train_spec
from tests.docs.pages import PAGES, ROOT, Block, blocks, every_block, name_of
from tests.docs.specs import WHOLE, completed
from tests.docs.test_stories import STORIES

# Pages whose blocks other tests use, and which.
ELSEWHERE = {
    "docs/extending.md": "tests/test_extension.py",
    "docs/your-own-network.md": "tests/test_your_own_network.py",
}
# Pages with commands in blocks without a language.
UNMARKED = {"docs/circuits.md"}
KNOWN = {"bash", "python", "yaml", "toml", "text", ""}
PROGRAM = re.compile(r"^(?:\$ )?(?:causalvae|make|pip|python)\b", flags=re.MULTILINE)


def checked_here(*languages: str) -> list[Block]:
    found = every_block(*languages)
    return [block for block in found if name_of(block.page) not in ELSEWHERE and block.remark[0] != "not run"]


def parts(text: str) -> list[str]:
    """A block, or each of the alternatives that it lists by naming a section again."""
    first = re.match(r"(\w+):", text)
    if first is None:
        return [text]
    starts = [match.start() for match in re.finditer(rf"^{first[1]}:", text, flags=re.MULTILINE)]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def faults_of(text: str) -> object:
    """Findings on a spec of any kind, given as text."""
    parse = parse_train_spec if "causalvae/train-v1" in text else parse_spec
    return parse(text)[1]


def dumped(content: object) -> str:
    text = io.StringIO()
    YAML().dump(content, text)
    return text.getvalue()


@pytest.mark.parametrize("block", checked_here("yaml"), ids=str)
def test_specs_and_parts_of_specs_are_valid(block: Block) -> None:
    if re.search(r"^spec:", block.text, flags=re.MULTILINE):
        assert not faults_of(block.text)
        return
    yaml = YAML(typ="safe")
    for part in parts(block.text):
        found = [faults_of(dumped(completed(yaml.load(whole), yaml.load(part)))) for whole in WHOLE]
        assert any(not faults for faults in found), found


@pytest.mark.parametrize("block", every_block("bash"), ids=str)
def test_command_lines_name_commands_options_and_files_that_exist(block: Block) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    group = get_command(app)
    written = {other.title for other in blocks(block.page)}
    shown = set(re.findall(r"^`(\S+)`", block.page.read_text(encoding="utf-8"), flags=re.MULTILINE))
    for line in block.commands:
        program, *arguments = shlex.split(line)
        if program == "make":
            assert {argument for argument in arguments if "=" not in argument} <= targets, line
        if program != "causalvae":
            continue
        name, *rest = arguments
        if name == "--version":
            continue
        group.commands[name].make_context(name, rest)  # type: ignore[attr-defined]
        for argument in arguments:
            if argument.endswith(".yaml") and not re.search("[A-Z]", argument) and argument not in written | shown:
                made = any(f"--out {argument}" in other for other in block.commands)
                assert made or (ROOT / argument).is_file(), line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_checked_or_says_why_not(page: Path) -> None:
    if name_of(page) in ELSEWHERE:
        return
    for block in blocks(page):
        assert block.language in KNOWN, block
        if block.language in ("text", "") and name_of(page) not in UNMARKED:
            assert not PROGRAM.search(block.text), f"{block}: commands belong into a block of bash"
        if block.language == "bash" and page not in STORIES:
            assert block.remark[0] == "not run" and block.remark[1], f"{block} is not run and says no reason"


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in checked_here("python") if b.page not in STORIES], ids=str)
def test_python_blocks_run(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(block.text, str(block), "exec"), {"__name__": "block"})
