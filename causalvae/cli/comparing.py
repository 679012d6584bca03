"""Commands that compare networks: compare, study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from causalvae.cli.console import clean, print_json, print_paths, print_table, stdout
from causalvae.cli.inspecting import CodeOption, JsonOption, SetOption, chosen

if TYPE_CHECKING:
    from causalvae.study.running import StudyOutcome


def compare(
    specs: Annotated[
        list[Path],
        typer.Argument(metavar="SPEC...", help="A spec with variants or a grid, or several specs.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    settings: SetOption = None,
    allow_code: CodeOption = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; only the tables and paths.")] = False,
) -> None:
    """Run several networks under one spec, side by side."""
    show_sides(run_sides(specs, out, settings or (), allow_code, as_json, quiet), as_json)


def run_sides(
    specs: list[Path], out: Path, settings: Sequence[str], allow_code: bool, as_json: bool, quiet: bool
) -> StudyOutcome:
    """Run the variants and the points of grids of specs."""
    from causalvae.cli.progress import ProgressView, load_libraries

    with ProgressView(quiet) as progress:
        causalvae = load_libraries(progress)
        with causalvae.allow_code(allow_code):
            outcome: StudyOutcome = causalvae.compare(
                specs,
                out,
                progress.tell,
                lambda name, number, total: progress.announce(f"{name} ({number} of {total})"),
                **chosen(list(settings)),
            )
    return outcome


def show_sides(outcome: StudyOutcome, as_json: bool) -> None:
    """Print a comparison."""
    if as_json:
        print_json(
            {
                "folder": str(outcome.folder),
                "reports": {name: str(path) for name, path in outcome.reports.items()},
                "sides": {
                    run.name: {measure.name: measure.value for measure in run.measures}
                    | {"verdicts": {v.hypothesis: v.status for v in run.results.verdicts} if run.results else {}}
                    for run in outcome.results.runs
                },
            }
        )
        return
    _print_outcome(outcome)


def study(
    spec: Annotated[Path, typer.Argument(metavar="STUDY", help="A study spec.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where studies are kept.")] = Path("runs/study"),
    settings: SetOption = None,
    allow_code: CodeOption = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; only the tables and paths.")] = False,
) -> None:
    """Train, analyse and report a grid of networks.

    A study that was stopped is continued; finished parts are not run again.
    """
    from causalvae.cli.progress import ProgressView, load_libraries

    with ProgressView(quiet) as progress:
        causalvae = load_libraries(progress)
        with causalvae.allow_code(allow_code):
            outcome = causalvae.run_study(
                spec,
                out,
                lambda name, number, total: progress.announce(f"{name} ({number} of {total})"),
                progress.tell,
                **chosen(settings),
            )
    if as_json:
        print_json({"folder": str(outcome.folder), "reports": {k: str(path) for k, path in outcome.reports.items()}})
        return
    _print_outcome(outcome)


def _print_outcome(outcome: StudyOutcome) -> None:
    from causalvae.study.page import key_tables, too_few_words

    console = stdout()
    console.print()
    console.print(Text(clean(outcome.results.name), style="bold"))
    for warning in outcome.results.warnings:
        console.print(Text.assemble(("! ", "bold yellow"), clean(warning)))
    for table in key_tables(outcome.results):
        print_table(console, table)
    if outcome.results.too_few:
        console.print()
        console.print(clean(too_few_words(outcome.results)))
    console.print()
    print_paths(console, outcome.reports.items())
