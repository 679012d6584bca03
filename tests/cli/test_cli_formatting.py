"""`fmt` keeps values and comments, and lays out nothing twice."""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from causalvae.errors import CausalVAEError
from causalvae.spec.diagnostics import SpecError
from causalvae.spec.formatting import format_text
from causalvae.spec.yaml_tree import compose
from tests.spec.faults import GOOD

ROOT = Path(__file__).parents[2]
SPECS = sorted(path for folder in ("specs", "examples") for path in (ROOT / folder).rglob("*.yaml"))


def values(text: str) -> str:
    root, faults = compose(text)
    assert root is not None and not faults
    return repr(root.to_plain())


def comments(text: str) -> list[str]:
    return re.findall(r"(?:^|\s)(# .*?)\s*$", text, re.M)


def untidy(text: str, seed: int) -> str:
    """The same spec with more spaces, line ends of Windows and a mark at the start."""
    rng = random.Random(seed)
    lines: list[str] = []
    block = False
    for line in text.split("\n"):
        # Spaces at the end of a line in a block of text are a part of its value.
        block = line.endswith((">", ">-", "|")) or (block and (not line or line.startswith("  ")))
        lines.append(line if block else line + " " * rng.randrange(4))
        if not (block or line) and rng.random() < 0.5:
            lines.append("")
    return "\ufeff" + "\r\n".join(lines)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_values_and_comments_stay_and_nothing_is_laid_out_twice(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for seed, given in enumerate((text, untidy(text, 1), untidy(text, 2))):
        laid_out = format_text(given.encode(), path.name)
        assert values(laid_out) == values(given.removeprefix("\ufeff").replace("\r\n", "\n"))
        assert seed or values(laid_out) == values(text)
        assert comments(laid_out) == comments(text)
        assert format_text(laid_out.encode(), path.name) == laid_out
        assert max(map(len, laid_out.split("\n"))) <= max(120, max(map(len, text.split("\n"))))
        assert laid_out.endswith("\n") and not laid_out.endswith("\n\n")


def test_json_is_a_spec_and_stays_one() -> None:
    root, _ = compose(GOOD)
    assert root is not None
    assert values(format_text(json.dumps(root.to_plain()).encode(), "a")) == values(GOOD)


def test_indentation_is_made_even() -> None:
    text = "a:\n    - b:   1   # one\n      c: [ 1,2 ]\n    - {d: 'x',   e: \"y\"}\n\n\n# last\n"
    assert format_text(text.encode(), "a") == (
        "a:\n  - b: 1       # one\n    c: [1, 2]\n  - {d: 'x', e: \"y\"}\n\n\n# last\n"
    )


@pytest.mark.parametrize("text", [b"a: [\n", b"a: !!int 3\n", b"a: 1\na: 2\n", b"\xff", b""])
def test_what_is_no_yaml_is_refused_as_by_validate(text: bytes) -> None:
    with pytest.raises(SpecError):
        format_text(text, "a")


def test_what_would_lose_a_comment_is_refused() -> None:
    text = GOOD.replace("formats: [html,", "formats: [html,  # for people\n    ")
    try:
        assert "# for people" in format_text(text.encode(), "a")
    except CausalVAEError as error:
        assert error.code == "CV437" and "comments" in error.remedy


def test_the_command(invoke: Any, tmp_path: Path) -> None:
    good, untidied = tmp_path / "good.yaml", tmp_path / "untidy.yaml"
    good.write_text(format_text(GOOD.encode(), "a"))
    untidied.write_bytes(untidy(GOOD, 3).encode())
    before = untidied.read_bytes()
    for option in ("--check", "--diff"):
        done = invoke("fmt", tmp_path, option)
        assert "untidy.yaml" in done.stdout and "good.yaml" not in done.stdout
        assert done.exit_code == (1 if option == "--check" else 0)
        assert untidied.read_bytes() == before
    assert json.loads(invoke("fmt", tmp_path, "--check", "--json").stdout) == {"checked": 2, "changed": [str(untidied)]}
    assert invoke("fmt", tmp_path).exit_code == 0
    assert values(untidied.read_text()) == values(GOOD) and untidied.read_bytes() != before
    assert "0 of 2 files" in invoke("fmt", tmp_path, "--check").stdout
    untidied.write_text("a: [\n")
    done = invoke("fmt", untidied)
    assert done.exit_code == 2 and "CV006" in done.stderr


def test_the_hooks_of_pre_commit_are_commands(invoke: Any, tmp_path: Path) -> None:
    """The keys are those that pre-commit requires of a hook."""
    hooks = YAML(typ="safe", pure=True).load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "x.causal.yaml"
    path.write_text(format_text(GOOD.encode(), "a"))
    for hook in hooks:
        assert {"id", "name", "entry", "language"} <= set(hook)
        assert hook["language"] == "python" and re.search(hook["files"], str(path))
        program, command = hook["entry"].split()
        assert program == "causalvae"
        assert invoke(command, path).exit_code == 0


@pytest.mark.parametrize("value", ["9" * 5000, "2020-99-99"])
def test_values_that_python_lacks_raise_no_bare_error(value: str) -> None:
    text = f"a:   {value}\n"
    try:
        assert values(format_text(text.encode(), "long.yaml")) == values(text)
    except CausalVAEError as error:
        assert error.code == "CV437"


def test_links_stay_and_permissions_too(invoke: Any, tmp_path: Path) -> None:
    path, link = tmp_path / "spec.yaml", tmp_path / "link.yaml"
    path.write_text("a:   1\n")
    link.symlink_to(path)
    assert "CV412" in invoke("fmt", str(link)).stderr
    assert link.is_symlink() and path.read_text() == "a:   1\n"
    path.chmod(0o444)
    assert "CV412" in invoke("fmt", str(path)).stderr
    assert path.read_text() == "a:   1\n"
    path.chmod(0o640)
    assert invoke("fmt", str(path)).exit_code == 0
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("a: 1\n", 0o640)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_read(invoke: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "CV412" in invoke("fmt", str(tmp_path / "pipe.yaml")).stderr
