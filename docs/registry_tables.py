"""Writes what the registries know into the pages on estimands, readouts and kinds; the rest is written by hand.

    python docs/generated.py

A page has ``<!-- registry: NAME -->`` and ``<!-- end -->`` around each part that is written here. A test compares them.
"""

from __future__ import annotations

import re
import sys
import typing
from pathlib import Path

from causalvae.analyses.disentanglement.glossary import SCORES
from causalvae.report.glossary import FIRST_ORDER, SCREEN_RECALL, TERMS, Term, term_of
from causalvae.report.markdown_report import escape_markdown
from causalvae.report.subspace_tables import TERMS as SUBSPACE_TERMS
from causalvae.spec.families import FAMILIES
from causalvae.spec.quantity import QUANTITIES
from causalvae.spec.readout_section import READOUTS, ReadoutSection
from causalvae.spec.registry import Registry

DOCS = Path(__file__).parent
_PART = re.compile(r"(?<=<!-- registry: )(?P<name>\w+)(?P<open> -->\n)(?P<text>.*?)(?=<!-- end -->)", re.DOTALL)
# Properties of circuits and of screens, which are no estimates.
_NOT_ESTIMATED = ("special", "minimal", "first_order_effect", "screen_recall")
_KINDS_OF_DATA = {
    "picture": "pictures with one channel or RGB",
    "colour": "RGB pictures",
    "sound": "sounds",
    "table": "tables",
    "output": "any output",
}


def estimands() -> dict[str, Term]:
    """Every estimand and quantity that a report may have, by its name in `results.json`."""
    quantities = {name: term_of(name) for name in QUANTITIES.own}
    screens = {"first_order_effect": FIRST_ORDER, "screen_recall": SCREEN_RECALL}
    return {**quantities, **TERMS, **SUBSPACE_TERMS, **screens}


def part(name: str) -> str:
    """What is between the comments of `name`."""
    if name == "readouts":
        return _readouts()
    if name == "kinds":
        return "\n".join(_family(family) for family in FAMILIES)
    if name == "scores":
        return "\n".join(_words(term) for term in SCORES.values())
    if name == "estimands":
        return _index()
    stored = "" if name in _NOT_ESTIMATED else f" In `results.json` it is `{name}`."
    claimed = f" A hypothesis claims it by `expect: {{{name}: ...}}`." if name in QUANTITIES.own else ""
    return _words(estimands()[name], f"{stored}{claimed}")


def _words(term: Term, more: str = "") -> str:
    return f"**{term.title}**\n\n> {escape_markdown(term.formula)}\n\n{term.meaning}{more}\n"


def _index() -> str:
    rows = []
    for page in sorted((DOCS / "estimands").glob("*.md")):
        if page.stem == "index":
            continue
        text = page.read_text(encoding="utf-8")
        names = [match["name"] for match in _PART.finditer(text) if match["name"] != "scores"]
        listed = f": {', '.join(f'`{name}`' for name in names)}" if names else ""
        rows.append(f"- [{text.partition(chr(10))[0].removeprefix('# ')}]({page.name}){listed}\n")
    return "".join(rows)


def _family(family: Registry[typing.Any]) -> str:
    rows = "".join(f"| `{name}` | {_cell(family.get(name).summary())} |\n" for name in family.own)
    return f"## {family.noun.capitalize()}\n\n| name | what it is |\n|---|---|\n{rows}"


def _cell(summary: str) -> str:
    # Names of keys are in backticks, as in docstrings.
    return escape_markdown(summary).replace("\\`", "`")


def _readouts() -> str:
    return "\n".join(_readout(name, READOUTS.get(name)) for name in READOUTS.own)


def _readout(name: str, kind: type[ReadoutSection]) -> str:
    period = f" It is cyclic, with period {kind.period:.5g}." if kind.period is not None else ""
    short = f" Short: `{{readout: {{{kind.short_key}: VALUE}}}}`." if kind.short_key else ""
    keys = "".join(
        f"- `{key}`{_choices(field.annotation)}{'' if field.is_required() else ', optional'}"
        f"{f': {field.description}' if field.description else ''}\n"
        for key, field in kind.model_fields.items()
        if key != "readout"
    )
    listed = f"\n{keys}" if keys else ""
    return f"### {name}\n\n{kind.summary()} Measured on {_KINDS_OF_DATA[kind.of]}.{period}{short}\n{listed}"


def _choices(annotation: object) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return " (" + " or ".join(f"`{value}`" for value in typing.get_args(annotation)) + ")"
    return ""


def written(text: str) -> str:
    """A page with the parts of today's registries."""
    return _PART.sub(lambda match: f"{match['name']}{match['open']}{part(match['name'])}", text)


def main() -> None:
    """Write the parts of all pages."""
    for page in (*sorted((DOCS / "estimands").glob("*.md")), DOCS / "readouts.md", DOCS / "kinds.md"):
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
