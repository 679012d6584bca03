"""Notes on numbers: every code has words, and all words are used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from causalvae.report.notes import WORDS

PACKAGE = Path(__file__).parents[2] / "causalvae"
# Codes that are put together from a name in the spec or of an estimand.
FAMILIES = {"rows_"}


def codes() -> Iterator[str]:
    """What the package makes notes of: the constant codes, and those of a variable named `code`."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Note":
                yield from _texts(node.args[0])
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code" and file.name == "scale.py":
                yield from _texts(node.value)


def _texts(expression: ast.expr) -> Iterator[str]:
    if isinstance(expression, ast.Call):  # {unit: code}.get(unit, code)
        assert isinstance(expression.func, ast.Attribute) and isinstance(expression.func.value, ast.Dict)
        choices = [*expression.func.value.values, *expression.args[1:]]
    elif isinstance(expression, ast.IfExp):
        choices = [expression.body, expression.orelse]
    elif isinstance(expression, ast.JoinedStr):
        choices = expression.values[:1]
    else:
        choices = [expression]
    yield from (choice.value for choice in choices if isinstance(choice, ast.Constant))


def test_every_note_has_words_and_all_words_are_used() -> None:
    made = set(codes())
    assert made >= FAMILIES
    of_families = {code for code in WORDS if code.startswith(tuple(FAMILIES))}
    assert made - FAMILIES == set(WORDS) - of_families
