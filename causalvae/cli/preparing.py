"""Commands that help a user start: init, schema, kinds, doctor."""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from causalvae.cli.console import clean, print_json, print_table, stdout
from causalvae.cli.inspecting import JsonOption
from causalvae.errors import CausalVAEError
from causalvae.files import remove_leftovers, write_file, write_once

STANDARD_OUTPUT = Path("-")


def init(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="CHECKPOINT",
            help="Write a spec for these weights: a file, a folder, or builtin://NAME.",
            show_default=False,
        ),
    ] = "",
    data: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="With --from: a file or folder of data, such as a csv file, or the name of a data source.",
            show_default=False,
        ),
    ] = "",
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; - prints it.")] = Path("causalvae.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented starter spec.

    With --from, it is written for your network and data, and opened to see that it runs.
    """
    if data and not source:
        raise typer.BadParameter("--data goes with --from")
    if source:
        _init_from(source, data, out, force, as_json)
        return
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


def _init_from(source: str, data: str, out: Path, force: bool, as_json: bool) -> None:
    """Write a spec for a network and data."""
    if not force and out != STANDARD_OUTPUT and out.exists():
        _refuse_existing(out)
    from causalvae.cli.progress import ProgressView, load_libraries

    with ProgressView(quiet=as_json) as progress:
        load_libraries(progress)
        from causalvae.first_spec import write_first_spec

        progress.announce("opening network and data")
        printed = out == STANDARD_OUTPUT
        folder = Path() if printed else out.parent
        name = re.sub(r"[^A-Za-z0-9]+", "-", Path(source).stem).strip("-")[:60]
        found = write_first_spec(source, data or None, folder, name or "my-first-run")
    if not printed:
        write_new(out, found.text, force)
    if as_json:
        told = {"text": found.text} if printed else {"file": str(out)}
        print_json(told | {"runs": found.session is not None, "to_fill": list(found.to_fill)})
        return
    if printed:
        sys.stdout.write(found.text)
        return
    console = stdout()
    console.print(Text.assemble(("✓ ", "bold green"), f"wrote {clean(str(out))}"), soft_wrap=True)
    if found.session is not None:
        console.print("The network and the data were opened: the spec runs.")
        console.print(f"Next: causalvae run {clean(str(out))}", soft_wrap=True)
        return
    console.print("No architecture of this package fits the weights. To fill in:")
    for line in found.to_fill:
        console.print(f"  {line}")
    console.print(f"Next: causalvae run {clean(str(out))} --allow-code", soft_wrap=True)


def schema(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; - prints it.")] = STANDARD_OUTPUT,
    results: Annotated[bool, typer.Option("--results", help="Write the schema of results.json instead.")] = False,
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
    """List the kinds that specs can name, such as readouts."""
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
    """Show versions, device, threads and optional packages.

    Exit code 3 if something that is needed is missing.
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
    except (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise CausalVAEError(
            "CV412",
            f"The file cannot be written: {error.strerror or error}.",
            "Name a file in a folder that exists and that you may write to.",
            str(path),
        ) from error
    if not written:
        _refuse_existing(path)


def _refuse_existing(path: Path) -> NoReturn:
    remove_leftovers(path)
    raise CausalVAEError(
        "CV411", "The file exists already.", "Name another with --out, or overwrite it with --force.", str(path)
    )
