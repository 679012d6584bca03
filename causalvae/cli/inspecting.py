"""Commands without a run: validate, components, plan."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from causalvae.cli.console import clean, print_json, print_table, stderr, stdout

if TYPE_CHECKING:
    from causalvae.spec.diagnostics import Diagnostic

SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", help="The spec file.", show_default=False)]
CodeOption = Annotated[
    bool, typer.Option("--allow-code", help="Let the spec import and call code that it names (model source: python).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]

INVALID = 2


def validate(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...", help="Spec files.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Check specs and show every fault; loads no network.

    Exit code 0 where all are valid, 2 where one is not.
    """
    with _no_collection():
        checked = [(path, *_check(path)) for path in specs]
    valid = all(digest is not None for _, digest, _ in checked)
    if as_json:
        print_json(
            {
                "valid": valid,
                "files": [
                    {
                        "file": str(path),
                        "valid": digest is not None,
                        "digest": digest,
                        "diagnostics": [diagnostic.to_dict() for diagnostic in diagnostics],
                    }
                    for path, digest, diagnostics in checked
                ],
            }
        )
    else:
        for path, digest, diagnostics in checked:
            _show(path, digest, diagnostics)
    raise typer.Exit(0 if valid else INVALID)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Disable garbage collection, which slows down imports."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check(path: Path) -> tuple[str | None, tuple[Diagnostic, ...]]:
    """The digest of a spec (None if it is invalid), and its diagnostics."""
    from causalvae.digest import digest
    from causalvae.spec import Spec, read_any_spec

    spec, diagnostics = read_any_spec(path)
    if spec is None:
        return None, diagnostics
    return spec.digest if isinstance(spec, Spec) else digest(spec.model_dump(mode="json")), diagnostics


def _show(path: Path, digest: str | None, diagnostics: tuple[Diagnostic, ...]) -> None:
    errors, console = stderr(), stdout()
    for diagnostic in diagnostics:
        text = diagnostic.render(errors.is_terminal and not errors.no_color)
        errors.print(Text.from_ansi(text), soft_wrap=True)
        errors.print()
    faults = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
    warnings = len(diagnostics) - faults
    noted = f", {_count(warnings, 'warning')}" if warnings else ""
    if digest is None:
        line = Text.assemble(("✗ ", "bold red"), f"{clean(str(path))}: {_count(faults, 'error')}{noted}")
    else:
        line = Text.assemble(("✓ ", "bold green"), f"{clean(str(path))}: valid{noted} (digest {digest})")
    console.print(line, soft_wrap=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def components(spec: SpecArgument, allow_code: CodeOption = False, as_json: JsonOption = False) -> None:
    """List what an address can name in the spec's network."""
    from causalvae.cli.progress import ProgressView, load_libraries

    with ProgressView(quiet=as_json) as progress:
        causalvae = load_libraries(progress)
        with causalvae.allow_code(allow_code):
            session = causalvae.open(spec, progress.tell)
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
        bool, typer.Option("--explain", help="Run a few rows of every kind, and tell what a run will cost.")
    ] = False,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where runs are kept: what one has cost is shown beside.")
    ] = Path("runs"),
    allow_code: CodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a run of the spec would do, like EXPLAIN."""
    from causalvae.cli.progress import ProgressView, load_libraries

    explained = None
    with ProgressView(quiet=as_json) as progress:
        causalvae = load_libraries(progress)
        with causalvae.allow_code(allow_code):
            session = causalvae.open(spec, progress.tell)
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
