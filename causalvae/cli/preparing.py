"""Commands that help a user start: init, schema, kinds, doctor."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from causalvae.cli.console import clean, print_json, print_table, stdout
from causalvae.cli.inspecting import JsonOption
from causalvae.errors import CausalVAEError
from causalvae.files import write_file, write_once

STANDARD_OUTPUT = Path("-")


def init(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; - prints it.")] = Path("causalvae.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file where it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented starter spec."""
    text = resources.files("causalvae.cli").joinpath("starter.yaml").read_text(encoding="utf-8")
    if out == STANDARD_OUTPUT:
        if as_json:
            print_json({"text": text})
        else:
            sys.stdout.write(text)
        return
    write_new(out, text, force)
    if as_json:
        print_json({"file": str(out)})
        return
    console = stdout()
    console.print(Text.assemble(("✓ ", "bold green"), f"wrote {clean(str(out))}"), soft_wrap=True)
    console.print(f"Next: causalvae run {clean(str(out))}", soft_wrap=True)


def schema(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; - prints it.")] = STANDARD_OUTPUT,
    results: Annotated[bool, typer.Option("--results", help="The format of results.json instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the JSON Schema of specs, for editors, or of results."""
    if results:
        from causalvae.report.results_schema import results_schema_text

        text = results_schema_text(extensions=True)
    else:
        from causalvae.spec.jsonschema import json_schema_text

        text = json_schema_text(extensions=True)
    if out == STANDARD_OUTPUT:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    write_new(out, text, force=True)
    if as_json:
        print_json({"file": str(out)})
        return
    console = stdout()
    console.print(Text.assemble(("✓ ", "bold green"), f"wrote {clean(str(out))}"), soft_wrap=True)
    if not results:
        console.print(
            f"Name it in the first line of a spec: # yaml-language-server: $schema={clean(str(out))}", soft_wrap=True
        )


def kinds(as_json: JsonOption = False) -> None:
    """List what specs can name, such as data sources and readouts."""
    from causalvae.spec.families import FAMILIES

    found = [
        (family.noun, kind.kind, kind.summary(), family.entries[kind.kind][0].origin)
        for family in FAMILIES
        for kind in family.usable()
    ]
    if as_json:
        keys = ("family", "name", "summary", "distribution")
        print_json({"kinds": [dict(zip(keys, row, strict=True)) for row in found]})
        return
    from causalvae.report.tables import Table, columns
    from causalvae.spec.registry import OWN

    for family in FAMILIES:
        rows = tuple(
            (name, summary if origin == OWN else f"{summary} ({origin})")
            for noun, name, summary, origin in found
            if noun == family.noun
        )
        title = f"Kinds of {family.noun}: {len(rows)}"
        print_table(stdout(), Table(title, columns("Name", "What it is"), rows))


def doctor(as_json: JsonOption = False) -> None:
    """Show versions, device, threads and optional parts.

    Exit code 3 where something that is needed is missing.
    """
    from causalvae.cli.doctor import OPTIONAL, examine

    facts = examine()
    if as_json:
        print_json(facts)
    else:
        console = stdout()
        for name in ("causalvae", "python", "platform", "cores", "device", "threads"):
            if name in facts:
                console.print(Text.assemble((f"{name:<14}", "bold"), str(facts[name])))
        for name, version in facts["libraries"].items():
            mark = ("✓ ", "green") if version else ("✗ ", "red")
            console.print(Text.assemble(mark, f"{name:<14}", version or "not installed"))
        for name, present in facts["optional"].items():
            mark = ("✓ ", "green") if present else ("· ", "dim")
            state = "" if present else " (not installed)"
            console.print(Text.assemble(mark, f"{name:<14}", f"{OPTIONAL[name]}{state}"))
        for weights in facts.get("weights", ()):
            console.print(Text.assemble(("✓ ", "green"), weights))
        for problem in facts["problems"]:
            console.print(Text.assemble(("✗ ", "bold red"), problem))
    raise typer.Exit(3 if facts["problems"] else 0)


def write_new(path: Path, text: str, force: bool) -> None:
    """Write a file; an existing one is an error unless `force`."""
    try:
        if force:
            write_file(path, text)
            return
        written = write_once(path, text)
    except OSError as error:
        raise CausalVAEError(
            "CV412",
            f"The file cannot be written: {error.strerror or error}.",
            "Name a file in a folder that exists and that you may write to.",
            str(path),
        ) from error
    if not written:
        raise CausalVAEError(
            "CV411", "The file exists already.", "Name another with --out, or overwrite it with --force.", str(path)
        )
