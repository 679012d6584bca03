"""The commands run, report and train."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from causalvae.cli.comparing import run_sides, show_sides
from causalvae.cli.console import clean, print_json, print_paths, stderr, stdout
from causalvae.cli.inspecting import CodeOption, JsonOption, SetOption, SpecArgument, chosen, plan

if TYPE_CHECKING:
    from causalvae.spec.loader import Point
    from causalvae.spec.schema import Spec

REFUTED = 1
_STRICT = "--strict"
# Verdicts of claims that do not hold as stated.
_FALSE = ("refuted", "unspecific")
# The name in `causalvae.training.log`, which is not imported since it loads torch.
_LOG = "log.csv"

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; only verdicts and paths.")]


class Strictness(StrEnum):
    """Which verdicts make a run fail."""

    REFUTED = "refuted"
    SUPPORTED = "supported"


class RunCommand(TyperCommand):
    """A command whose ``--strict`` may be given without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Add the default value to ``--strict``."""
        return super().parse_args(ctx, [f"{_STRICT}={Strictness.REFUTED}" if arg == _STRICT else arg for arg in args])


class Format(StrEnum):
    """A report's format."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"


def run(
    spec: SpecArgument,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    strict: Annotated[
        Strictness | None,
        typer.Option(
            "--strict",
            help="Exit with 1 if a hypothesis is refuted or unspecific; with --strict=supported if it is not "
            "supported.",
            show_default=False,
        ),
    ] = None,
    settings: SetOption = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the data and of the run: data.seed and execution.seed.", show_default=False),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="Samples that are drawn: data.samples.", show_default=False)
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where to run, such as cpu or cuda: execution.device.", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and the run's folder; run and write nothing.")
    ] = False,
    open_report: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    allow_code: CodeOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a spec and write its report.

    A spec with a grid is run at every point of the grid, and the runs are compared.
    """
    from causalvae.spec.loader import open_whole

    settings = [*(settings or ()), *_short_settings(seed, samples, device)]
    points = open_whole(spec, settings).points
    if dry_run:
        _show_dry(spec, settings, points, out, allow_code, as_json)
        return
    failing = {None: (), Strictness.REFUTED: _FALSE, Strictness.SUPPORTED: (*_FALSE, "inconclusive")}[strict]
    if points:
        outcomes = run_sides([spec], out, settings, allow_code, as_json, quiet)
        show_sides(outcomes, as_json)
        verdicts = [verdict for run in outcomes.results.runs if run.results for verdict in run.results.verdicts]
        _finish(outcomes.reports, open_report, any(verdict.status in failing for verdict in verdicts))
        return
    from causalvae.cli.progress import ProgressView, load_libraries

    with ProgressView(quiet) as progress:
        causalvae = load_libraries(progress)
        with causalvae.allow_code(allow_code):
            outcome = causalvae.run(spec, out=out, on_progress=progress.tell, **chosen(settings))

    failed = any(verdict.status in failing for verdict in outcome.results.verdicts)
    if as_json:
        from causalvae.report.json_report import to_json_dict

        print_json(
            {
                "folder": str(outcome.folder),
                "reports": {name: str(path) for name, path in outcome.reports.items()},
                "results": to_json_dict(outcome.results),
            }
        )
    else:
        from causalvae.cli.results_view import print_results, print_verdicts

        console = stdout()
        if quiet:
            print_verdicts(console, outcome.results)
        else:
            print_results(console, outcome.results)
        console.print()
        print_paths(console, outcome.reports.items())
    _finish(outcome.reports, open_report, failed)


def _short_settings(seed: int | None, samples: int | None, device: str | None) -> list[str]:
    """What the options of their own set."""
    given = {"data.seed": seed, "execution.seed": seed, "data.samples": samples, "execution.device": device}
    return [f"{key}={value}" for key, value in given.items() if value is not None]


def _show_dry(
    spec: Path, settings: list[str], points: tuple[Point[Spec], ...], out: Path, allow_code: bool, as_json: bool
) -> None:
    """Print the plan of a spec, and the folder of each run."""
    from causalvae.spec.loader import open_whole

    plan(spec, explain=False, out=out, settings=settings, allow_code=allow_code, as_json=as_json)
    if as_json:
        return
    console = stdout()
    console.print()
    runs = [(point.label, point.spec) for point in points] or [("", open_whole(spec, settings).spec)]
    if points:
        console.print(f"The grid has {len(points)} runs; the plan above is that of the spec without it.")
    for label, each in runs:
        folder = out / each.name / each.digest
        state = "exists; finished parts are used" if folder.is_dir() else "new"
        name = f"{label}: " if label else ""
        console.print(clean(f"{name}would run in {folder} ({state})"), soft_wrap=True)


def _finish(reports: Mapping[str, Path], open_report: bool, failed: bool) -> NoReturn:
    """Open the report if asked for, and exit."""
    if open_report:
        page = reports.get("html")
        if page is None:
            stderr().print("There is no HTML report to open: `report.formats` does not contain html.")
        elif not webbrowser.open(page.resolve().as_uri()):
            stderr().print(f"No browser was found. The report is {clean(str(page))}", soft_wrap=True)
    raise typer.Exit(REFUTED if failed else 0)


def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="A run's folder.", show_default=False)],
    formats: Annotated[
        list[Format] | None,
        typer.Option(
            "--format", "-f", help="The format to write; may be given more than once. By default html and markdown."
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the report's drawings as SVG files instead.", show_default=False),
    ] = None,
    width: Annotated[float, typer.Option(min=10, max=1000, help="Width of the drawings, in mm.")] = 89.0,
    png: Annotated[bool, typer.Option("--png", help="Write the drawings as PNG too, at 300 dots an inch.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a run's reports again, from its results.json."""
    from causalvae.report import load_results, write_report

    results = load_results(folder)
    if figures is not None:
        from causalvae.report.figure_files import write_figures

        drawn = write_figures(results, figures, width, png)
        if as_json:
            print_json({"figures": [str(path) for path in drawn]})
            return
        for path in drawn:
            stdout().print(clean(str(path)), soft_wrap=True)
        return
    if png:
        raise typer.BadParameter("--png goes with --figures")
    chosen = tuple(item.value for item in formats or (Format.HTML, Format.MARKDOWN))
    written = write_report(results, folder if folder.is_dir() else folder.parent, chosen)
    if as_json:
        print_json({"reports": {name: str(path) for name, path in written.items()}})
        return
    print_paths(stdout(), written.items())


def train(
    spec: SpecArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The folder for checkpoint, log and weights; by default runs/train/NAME.",
            show_default=False,
        ),
    ] = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a network, or continue an earlier run that was stopped."""
    from causalvae.cli.progress import ProgressView, TrainingView, format_seconds, load_libraries

    with ProgressView(quiet) as loading:
        causalvae = load_libraries(loading)
    with TrainingView(quiet) as progress:
        outcome = causalvae.train(spec, out, progress.tell, **chosen(settings))
    if as_json:
        from causalvae.models.card import active_latents

        print_json(
            {
                "weights": str(outcome.weights),
                "log": str(outcome.weights.parent / _LOG),
                "reconstruction": outcome.reconstruction,
                "kl": list(outcome.kl),
                "active_latents": list(active_latents(outcome.kl)),
                "carries": [asdict(each) for each in outcome.carries],
                "seconds": outcome.seconds,
            }
        )
        return
    console = stdout()
    # A network without a variance in its latent has no KL.
    also = f", KL {sum(outcome.kl):.2f} nats" if outcome.kl else ""
    console.print(f"reconstruction {outcome.reconstruction:.2f} nats a sample{also}, on new samples")
    if outcome.kl:
        console.print("KL of each latent: " + ", ".join(f"{value:.2f}" for value in outcome.kl))
    if outcome.carries:
        console.print("Which latents carry the effect of each factor:")
    for each in outcome.carries:
        console.print(f"  {clean(each.in_words())}")
    console.print(f"trained for {format_seconds(outcome.seconds)}")
    print_paths(console, (("log", outcome.weights.parent / _LOG), ("weights", outcome.weights)))
