"""The command that sets runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from causalvae.cli.console import clean, print_json, print_table, stdout
from causalvae.cli.inspecting import CodeOption, JsonOption


def compare(
    specs: Annotated[
        list[Path],
        typer.Argument(metavar="SPEC...", help="A spec with variants, or several specs.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    allow_code: CodeOption = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; only the tables and paths.")] = False,
) -> None:
    """Run several networks under one spec, side by side."""
    from causalvae.cli.progress import ProgressView, load_libraries

    with ProgressView(quiet) as progress:
        causalvae = load_libraries(progress)
        with causalvae.allow_code(allow_code):
            outcome = causalvae.compare(
                specs,
                out,
                progress.tell,
                lambda name, number, total: progress.announce(f"{name} ({number} of {total})"),
            )
    if as_json:
        print_json(
            {
                "folder": str(outcome.folder),
                "reports": {name: str(path) for name, path in outcome.reports.items()},
                "sides": {
                    side.name: {measure.name: measure.value for measure in side.measures}
                    | {"verdicts": {verdict.hypothesis: verdict.status for verdict in side.results.verdicts}}
                    for side in outcome.comparison.sides
                },
            }
        )
        return
    from causalvae.report.comparison_document import key_tables

    console = stdout()
    console.print()
    console.print(Text(clean(outcome.comparison.name), style="bold"))
    for warning in outcome.comparison.warnings:
        console.print(Text.assemble(("! ", "bold yellow"), clean(warning)))
    for table in key_tables(outcome.comparison):
        print_table(console, table)
    if outcome.comparison.too_few:
        console.print()
        console.print(clean(outcome.comparison.too_few))
    console.print()
    for name, path in outcome.reports.items():
        console.print(Text.assemble((f"{name:<9}", "bold"), clean(str(path))), soft_wrap=True)


def study(
    spec: Annotated[Path, typer.Argument(metavar="STUDY", help="A study spec.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where studies are kept.")] = Path("runs/study"),
    allow_code: CodeOption = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; only the tables and paths.")] = False,
) -> None:
    """Train, analyse and report a grid of networks.

    A study that was stopped goes on; what is done is not done again.
    """
    from causalvae.cli.progress import ProgressView, load_libraries

    with ProgressView(quiet) as progress:
        causalvae = load_libraries(progress)
        with causalvae.allow_code(allow_code):
            outcome = causalvae.run_study(
                spec, out, lambda name, number, total: progress.announce(f"{name} ({number} of {total})"), progress.tell
            )
    if as_json:
        print_json({"folder": str(outcome.folder), "reports": {k: str(path) for k, path in outcome.reports.items()}})
        return
    from causalvae.report.study_document import study_tables

    console = stdout()
    console.print()
    console.print(Text(clean(outcome.results.name), style="bold"))
    for table in study_tables(outcome.results):
        print_table(console, table)
    console.print()
    for name, path in outcome.reports.items():
        console.print(Text.assemble((f"{name:<9}", "bold"), clean(str(path))), soft_wrap=True)
