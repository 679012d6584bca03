"""Pages that a reader types from top to bottom are run from top to bottom: files, commands, and what they print."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import entry_points
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from causalvae.cli.app import app
from tests.docs.pages import ROOT, Block, blocks, name_of

STORIES = (
    ROOT / "docs/tutorial.md",
    *(ROOT / "docs/how-to" / f"{name}.md" for name in ("images", "cells", "audio", "diffusers", "ray", "pytest")),
)
# Where the package's entry points are installed pytest has loaded the plugin already.
PLUGIN = () if entry_points(group="pytest11", name="causalvae") else ("-p", "causalvae.pytest_plugin")
NEEDS = {"diffusers": "diffusers", "ray": "ray"}


@contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """Within it, `folder` is where programs run and import from; what they imported is forgotten afterwards."""
    before, modules = Path.cwd(), set(sys.modules)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder):
                del sys.modules[name]


def typed(line: str) -> tuple[int, str]:
    """Run a command line in this process: its exit code and what it prints."""
    program, *arguments = shlex.split(line)
    if program == "causalvae":
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, result.output
    printed = StringIO()
    if program == "pytest":
        with redirect_stdout(printed):
            code = pytest.main([*arguments, "--capture=no", *PLUGIN])
        return int(code), printed.getvalue()
    assert program == "python", line
    script, *sys.argv[1:] = arguments
    with redirect_stdout(printed):
        runpy.run_path(script, run_name="__main__")
    return 0, printed.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


def tell(story: tuple[Block, ...], folder: Path) -> None:
    """Write the files, run the commands, and look for the shown output in what the last commands printed."""
    printed = ""
    for block in story:
        if block.remark[0] == "not run":
            continue
        if block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.remark[0] == "line of":
            file, key = folder / block.remark[1], block.text.partition(":")[0]
            text, count = re.subn(
                rf"^{key}:.*\n", lambda _, block=block: block.text, file.read_text("utf-8"), flags=re.M
            )
            assert count == 1, block
            file.write_text(text, encoding="utf-8")
        elif block.language == "bash":
            printed = ""
            for line in block.commands:
                code, output = typed(line)
                expected = int(block.remark[1]) if block.remark[0] == "exits with" else 0
                assert code == expected, f"{block}: {line}\n{output}"
                printed += output
        elif block.language == "text":
            for line in block.text.splitlines():
                assert line.strip() == "..." or words(line) in words(printed), f"{block}: {line}\n{printed}"
        elif block.language == "python":
            exec(compile(block.text, str(block), "exec"), {"__name__": "block"})


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    # Ray itself is tested in tests/engine/test_backend_ray.py; a second cluster takes a quarter of a minute.
    [pytest.param(page, marks=[pytest.mark.simulation] * (page.stem == "ray"), id=name_of(page)) for page in STORIES],
)
def test_a_page_is_run_as_it_stands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem], reason=f"needs causalvae[{NEEDS[page.stem]}]")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["python"])
    with at_home(tmp_path):
        tell(blocks(page), tmp_path)


def test_a_story_fails_where_a_command_or_its_output_is_another(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    good = '```yaml title="a.txt"\nx\n```\n\n```bash\ncausalvae --help\n```\n\n```text\n  Exit codes: 0 success\n```\n'
    for text, fails in (
        (good, False),
        (good.replace("0 success", "0 failure"), True),
        (good.replace("--help", "validate a.txt"), True),
        (
            "<!-- exits with: 2 -->\n"
            + good.split("\n\n")[0]
            + "\n\n<!-- exits with: 2 -->\n```bash\ncausalvae validate a.txt\n```\n",
            False,
        ),
    ):
        page = tmp_path / f"{abs(hash(text))}.md"
        page.write_text(text)
        with at_home(tmp_path):
            if fails:
                with pytest.raises(AssertionError):
                    tell(blocks(page), tmp_path)
            else:
                tell(blocks(page), tmp_path)
    assert (tmp_path / "a.txt").read_text() == "x\n"
