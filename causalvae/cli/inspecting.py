"""Commands without a run: components, plan."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from causalvae.cli.console import print_json, print_table, stdout

SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", help="The spec file.", show_default=False)]
CodeOption = Annotated[
    bool,
    typer.Option("--allow-code", help="Allow the spec to import and call code that it names (model source: python)."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a value of the spec, such as data.samples=64 or hypotheses.NAME.alpha=0.01; may be given more than "
        "once.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


def chosen(settings: list[str] | None) -> dict[str, Any]:
    """The settings as an argument of the functions of `causalvae`; none where none are given."""
    return {"settings": tuple(settings)} if settings else {}


def components(
    spec: SpecArgument, settings: SetOption = None, allow_code: CodeOption = False, as_json: JsonOption = False
) -> None:
    """List all component addresses of the spec's network."""
    from causalvae.cli.progress import ProgressView, load_libraries

    with ProgressView(quiet=as_json) as progress:
        causalvae = load_libraries(progress)
        with causalvae.allow_code(allow_code):
            session = causalvae.open(spec, progress.tell, **chosen(settings))
    sites, unused = session.components, session.unused_parameters
    if as_json:
        print_json(
            {
                "components": [
                    {
                        "name": site.name,
                        "stage": site.stage,
                        "kind": site.kind,
                        "shape": list(site.shape),
                        "units": site.units,
                    }
                    for site in sites
                ],
                "unused_parameters": list(unused),
            }
        )
        return
    from causalvae.controls import unused_words
    from causalvae.report.tables import Table, columns

    table = Table(
        f"{len(sites)} components, in the order of computation",
        columns("Address", "Stage", "Kind", "Shape", "Units#"),
        tuple(
            (site.name, site.stage, site.kind, " x ".join(map(str, site.shape)), f"{site.units:,}") for site in sites
        ),
        (
            "Name units by a selector: ADDRESS[3], ADDRESS[0:8], ADDRESS[4, 7].",
            *((unused_words(unused),) if unused else ()),
        ),
    )
    print_table(stdout(), table)


def plan(
    spec: SpecArgument,
    explain: Annotated[
        bool, typer.Option("--explain", help="Run a few rows of every kind and predict the cost of a run.")
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="The folder of runs; the measured cost of an earlier run is shown next to the prediction.",
        ),
    ] = Path("runs"),
    settings: SetOption = None,
    allow_code: CodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a run of the spec would do, without running it."""
    from causalvae.cli.progress import ProgressView, load_libraries

    explained = None
    with ProgressView(quiet=as_json) as progress:
        causalvae = load_libraries(progress)
        with causalvae.allow_code(allow_code):
            session = causalvae.open(spec, progress.tell, **chosen(settings))
            compiled = causalvae.compile_plan(session, on_progress=progress.tell)
            if explain:
                explained = causalvae.explain(session, compiled, out, progress.tell)
    content: dict[str, Any] = {"digest": compiled.digest, **asdict(compiled)}
    if explained is None:
        if as_json:
            print_json(content)
            return
        from causalvae.cli.plan_view import print_plan

        print_plan(stdout(), compiled)
        return
    if as_json:
        print_json({**content, "explained": explained.to_dict()})
        return
    from causalvae.cli.plan_view import print_explained

    print_explained(stdout(), compiled, explained)
