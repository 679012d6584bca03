"""Entry point of the command line: global options, and commands by name."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from causalvae.boundary import is_out_of_memory
from causalvae.cli import (
    comparing,
    diffing,
    discovering,
    explaining,
    formatting,
    graphing,
    inspecting,
    preparing,
    running,
    validating,
)
from causalvae.cli.failures import RUN_FAILED, ForgivingGroup, finish_output, open_streams

app = typer.Typer(
    name="causalvae",
    cls=ForgivingGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"causalvae {version('causalvae')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Causal analysis of what happens inside variational autoencoders, from one YAML spec.

    Exit codes: 0 success; 1 a hypothesis was refuted or unspecific and --strict was given (with --strict=supported
    also if one is inconclusive); 2 the spec is invalid; 3 the run failed; 130 stopped by Ctrl-C, 143 by SIGTERM.
    """


app.command()(preparing.init)
app.command()(validating.validate)
app.command()(inspecting.components)
app.command()(inspecting.plan)
app.command(cls=running.RunCommand)(running.run)
app.command()(running.report)
app.command()(diffing.diff)
app.command()(discovering.discover)
app.command()(comparing.compare)
app.command()(comparing.study)
app.command()(running.train)
app.command()(explaining.explain)
app.command()(formatting.fmt)
app.command()(graphing.graph)
app.command()(preparing.schema)
app.command()(preparing.kinds)
app.command()(preparing.doctor)


def main() -> None:
    """Run the command line."""
    open_streams()
    for stream in (sys.stdout, sys.stderr):
        # The encoding of an old terminal may lack a symbol, which is then replaced.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app()
    except SystemExit as ended:
        raise SystemExit(finish_output(ended.code)) from None
    except (MemoryError, SystemError) as error:
        if not is_out_of_memory(error):
            raise
        # There was not even the memory to report an error.
        os.write(2, b"error[CV415] Memory ran out.\n")
        raise SystemExit(RUN_FAILED) from None
