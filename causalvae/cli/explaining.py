"""The command explain: what a code means, with a bad and a good example."""

from __future__ import annotations

from dataclasses import asdict
from textwrap import dedent
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from causalvae.cli.console import print_json, print_table, stdout
from causalvae.cli.inspecting import JsonOption
from causalvae.errors import CausalVAEError

if TYPE_CHECKING:
    from rich.console import Console

    from causalvae.spec.explained import Explanation

UNKNOWN = 2


def explain(
    codes: Annotated[
        list[str] | None, typer.Argument(metavar="[CODE...]", help="Codes, such as CV020; by default all are listed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain codes of diagnostics of specs, with examples."""
    from causalvae.spec.explained import explanations

    known = explanations()
    if not codes:
        _list(known, as_json)
        return
    asked = [code.upper() for code in codes]
    for code in asked:
        if code not in known:
            _refuse(code, known)
    if as_json:
        print_json({"codes": [asdict(known[code]) for code in asked]})
        return
    for place, code in enumerate(asked):
        if place:
            stdout().print()
        _show(stdout(), known[code])


def _list(known: dict[str, Explanation], as_json: bool) -> None:
    if as_json:
        print_json({"codes": [asdict(each) for each in known.values()]})
        return
    from causalvae.report.tables import Table, columns

    rows = tuple((each.code, each.title) for each in known.values())
    print_table(stdout(), Table("Codes of specs", columns("Code", "What is wrong"), rows))


def _refuse(code: str, known: dict[str, Explanation]) -> None:
    from causalvae.spec.diagnostics import nearest

    meant = nearest(code, known)
    hint = f"Did you mean {meant}? " if meant else ""
    error = CausalVAEError(
        "CV433",
        f"There is no explanation of {code}.",
        f"{hint}`causalvae explain` lists the codes of specs. The message of any other code says what to do.",
    )
    error.exit_code = UNKNOWN
    raise error


def _show(console: Console, each: Explanation) -> None:
    console.print(Text.assemble((each.code, "bold red"), f"  {each.title}"))
    console.print()
    console.print(each.meaning)
    if each.bad:
        from causalvae.spec.loader import parse_spec

        _block(console, "Wrong", each.bad, "red")
        _block(console, "Right", each.good, "green")
        found = "\n\n".join(fault.render() for fault in parse_spec(each.faulty, "spec.yaml")[1])
        _block(console, "What is printed", found, "")
    elif each.faulty:
        _block(console, "Wrong", each.faulty, "red")
    else:
        _block(console, "For example", each.example, "")
    console.print()
    console.print(Text.assemble(("Remedy: ", "bold"), each.remedy))


def _block(console: Console, title: str, text: str, style: str) -> None:
    console.print()
    console.print(title, style="bold")
    for line in dedent(text).rstrip("\n").split("\n"):
        console.print(Text(f"  {line}".rstrip(), style=style), soft_wrap=True)
