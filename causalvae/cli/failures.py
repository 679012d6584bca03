"""Errors of the command line: printed with a code and a remedy instead of a traceback."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import typer
from rich.text import Text
from typer.core import TyperGroup

from causalvae.boundary import as_coded
from causalvae.cli.console import clean, print_json, stderr
from causalvae.errors import CausalVAEError, first_line

RUN_FAILED = 3
# Commands that store finished parts and resume from them.
_RESUMING = ("run", "train", "study", "compare", "discover")
# A process ended by a signal exits with 128 + the number of the signal.
_SIGNALLED = 128
# SIGPIPE, not defined on Windows.
_PIPE = 13


class TerminatedError(KeyboardInterrupt):
    """Raised on SIGTERM, and handled like Ctrl-C."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Raise `TerminatedError` on SIGTERM within the context; a second SIGTERM ends the process immediately."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise TerminatedError

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class ForgivingGroup(TyperGroup):
    """A command group that prints an error instead of a traceback, unless ``--debug`` was given."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Parse and run the command line; with ``--json`` errors are printed as one JSON object too."""
        given = list(sys.argv[1:] if args is None else args)
        if not _wants_json(given):
            try:
                return super().main(given, *more, **extra)
            except OSError as error:
                # Standard error may refuse the message of a wrong option.
                wrong = error.__context__
                if not isinstance(wrong, Exception) or not _is_command_lines(wrong):
                    raise
                _silence(sys.stderr)
                sys.exit(wrong.exit_code)  # type: ignore[attr-defined]
        try:
            code = super().main(given, *more, **{**extra, "standalone_mode": False})
        except Exception as error:
            if not _is_command_lines(error):
                raise
            wrong = CausalVAEError(
                "CV417",
                error.format_message(),  # type: ignore[attr-defined]
                "`causalvae COMMAND --help` lists what it takes.",
            )
            _print_failure(wrong)
            sys.exit(error.exit_code)  # type: ignore[attr-defined]
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors are converted to a message and an exit code."""
        given = [*ctx._protected_args, *ctx.args]
        as_json = _wants_json(given)
        try:
            with _terminable():
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            number = signal.SIGTERM if isinstance(error, TerminatedError) else signal.SIGINT
            stopped = _stopped(given, number)
            with _unless_refused():
                stderr().print(clean(f"{stopped.message} {stopped.remedy}".strip()), soft_wrap=True)
            if as_json:
                _print_failure(stopped)
            raise typer.Exit(_SIGNALLED + number) from None
        except BrokenPipeError:
            _silence(sys.stdout)
            raise typer.Exit(_SIGNALLED + _PIPE) from None
        except Exception as error:
            # Exceptions of typer (wrong option, exit code) are printed by typer.
            if _is_command_lines(error) or ctx.params.get("debug"):
                raise
            told = _told(error)
            with _unless_refused():
                show_error(told)
            if as_json:
                _print_failure(told)
            raise typer.Exit(told.exit_code) from None


def finish_output(code: Any) -> Any:
    """Flush the standard streams; return `code`, or another one if writing to standard output failed."""
    with _unless_refused():
        sys.stderr.flush()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe.
        _silence(sys.stdout)
        return _SIGNALLED + _PIPE
    except OSError as error:
        _silence(sys.stdout)
        with _unless_refused():
            show_error(_told(error))
        return RUN_FAILED
    return code


@contextmanager
def _unless_refused() -> Iterator[None]:
    """Ignore that standard error refuses what is written (a full disk, a closed pipe): the exit code remains."""
    try:
        yield
    except OSError:
        _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    """Discard the buffer of a standard stream, which Python would otherwise try to write at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        # The stream is not a file.
        return


def open_streams() -> None:
    """Open the standard streams that were closed at the start (`>&-`), on the null device.

    Otherwise Python has None in their place, and the next file that is opened would take their number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _stopped(given: list[str], number: signal.Signals) -> CausalVAEError:
    """The error of a command that was stopped; `given` is the command with its arguments."""
    remedy = ""
    if given and given[0] in _RESUMING:
        command = shlex.join(["causalvae", *given])
        remedy = f"Finished parts are kept; run the same command again to resume.\n  {command}"
    return CausalVAEError("CV418", f"Stopped by {number.name}.", remedy)


def _told(error: Exception) -> CausalVAEError:
    """Convert any error to one with a code; CV499 if it is unexpected."""
    return as_coded(error) or CausalVAEError(
        "CV499",
        f"{type(error).__name__}: {first_line(error)}",
        "This is an error in causalvae. `causalvae --debug ...` shows where it happened; please report it with that.",
    )


def _is_command_lines(error: Exception) -> bool:
    """Whether an error is from typer, such as a wrong option, or from its copy of click."""
    return type(error).__module__.split(".")[0] in ("typer", "click")


def _wants_json(arguments: list[str]) -> bool:
    """Whether ``--json`` is among the options, which end at ``--``."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _print_failure(error: CausalVAEError) -> None:
    """Write an error to standard output as one JSON object; does nothing if it cannot be written."""
    try:
        print_json(failure_of(error))
        sys.stdout.flush()
    except OSError:
        # The error has been printed to standard error.
        _silence(sys.stdout)


def failure_of(error: CausalVAEError) -> dict[str, Any]:
    """The JSON object of an error: ``error`` and, for an invalid spec, ``diagnostics``."""
    told: dict[str, Any] = {
        "error": {"code": error.code, "message": error.message, "place": error.place, "remedy": error.remedy}
    }
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics:
        told["diagnostics"] = [diagnostic.to_dict() for diagnostic in diagnostics]
    return told


def show_error(error: CausalVAEError) -> None:
    """Print code, place, message and remedy; for an invalid spec, all diagnostics."""
    console = stderr()
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics:
        for diagnostic in diagnostics:
            text = diagnostic.render(console.is_terminal and not console.no_color)
            console.print(Text.from_ansi(text), soft_wrap=True)
            console.print()
        errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
        console.print(f"The spec is refused: {errors} error{'s' if errors != 1 else ''}.")
        return
    console.print(Text.assemble((f"error[{error.code}] ", "bold red"), clean(error.message)))
    if error.place:
        console.print(Text.assemble("  at ", (clean(error.place), "cyan")))
    console.print(Text.assemble(("  help: ", "green"), clean(error.remedy)))
