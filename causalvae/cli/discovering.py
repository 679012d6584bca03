"""The command discover: the smallest circuits that carry effects."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from causalvae.cli.console import print_json, stdout
from causalvae.cli.inspecting import CodeOption, JsonOption, SetOption, SpecArgument
from causalvae.cli.running import QuietOption

if TYPE_CHECKING:
    from causalvae.spec.schema import Spec

_KEY = "discoveries"


class Candidates(StrEnum):
    """What circuits are made of."""

    LATENTS = "latents"
    CHANNELS = "channels"
    UNITS = "units"
    EDGES = "edges"


class Score(StrEnum):
    """What orders candidates."""

    SINGLE = "single"
    REMOVAL = "removal"
    ATTRIBUTION = "attribution"
    INTEGRATED_GRADIENTS = "integrated_gradients"
    RELP = "relp"


def discover(
    spec: SpecArgument,
    treatment: Annotated[str, typer.Option(help="An input intervention of the spec.", show_default=False)] = "",
    outcome: Annotated[str, typer.Option(help="An attribute of the spec, or image.", show_default=False)] = "",
    candidates: Annotated[
        Candidates | None, typer.Option(help="What circuits consist of; by default latents.", show_default=False)
    ] = None,
    sites: Annotated[
        list[str] | None,
        typer.Option(
            "--sites", help="An address to take candidates, or ends of edges, from; may be given more than once."
        ),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.99, help="The share to test against; by default 0.8.", show_default=False),
    ] = None,
    score: Annotated[
        list[Score] | None,
        typer.Option(
            "--score", help="How candidates are ordered; may be given more than once. By default in all ways."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    settings: SetOption = None,
    allow_code: CodeOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the smallest circuit that carries an effect, and test it.

    Without --treatment and --outcome, finds the circuits of the spec's `discoveries`.
    """
    if bool(treatment) != bool(outcome):
        raise typer.BadParameter("give both --treatment and --outcome, or neither")
    asked = {"candidates": candidates, "sites": sites, "target": target, "score": score}
    if not treatment and any(asked.values()):
        raise typer.BadParameter("--candidates, --sites, --target and --score go with --treatment and --outcome")
    from causalvae.cli.progress import ProgressView, load_libraries

    with ProgressView(quiet) as progress:
        causalvae = load_libraries(progress)
        from causalvae.api import open_session, run_analysis
        from causalvae.spec import open_spec

        with causalvae.allow_code(allow_code):
            loaded, folder = open_spec(spec, settings or ())
            if treatment:
                sought: dict[str, object] = {
                    "name": f"{treatment}-{outcome}",
                    "treatment": treatment,
                    "outcome": outcome,
                    **({"candidates": candidates.value} if candidates else {}),
                    **({"sites": sites} if sites else {}),
                    **({"target": target} if target else {}),
                }
                loaded = _asking(loaded, sought, [one.value for one in score or ()])
            found = run_analysis(open_session(loaded, folder, progress.tell), _KEY, out, progress.tell)
    if as_json:
        from causalvae.report.json_report import plain_values

        print_json(plain_values(found))
        return
    from causalvae.cli.results_view import print_view
    from causalvae.report.analysis_view import views_of

    console = stdout()
    for view in views_of({_KEY: found}):
        print_view(console, view)


def _asking(spec: Spec, sought: dict[str, object], scores: list[str]) -> Spec:
    """The spec with one circuit to find in place of its own."""
    from pydantic import ValidationError

    from causalvae.analyses.discoveries import Discoveries

    try:
        settings = Discoveries.model_validate({"circuits": [sought], **({"scores": scores} if scores else {})})
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.BadParameter(f"{first['loc'][-1]}: {first['msg']}") from None
    return spec.model_copy(update={_KEY: settings})
