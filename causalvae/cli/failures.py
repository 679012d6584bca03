"""How the command line tells that something went wrong: in words, with a code and a remedy, without a traceback."""

from __future__ import annotations

import errno
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from causalvae.cli.console import clean, stderr
from causalvae.errors import CausalVAEError

RUN_FAILED = 3
STOPPED = 130


class ForgivingGroup(TyperGroup):
    """A command group that prints an error instead of a traceback, unless ``--debug`` was given."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except CausalVAEError as error:
            if ctx.params.get("debug"):
                raise
            show_error(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            stderr().print("Stopped. The same command goes on where this one was.")
            raise typer.Exit(STOPPED) from None
        except OSError as error:
            # A reader that closed the pipe early is no failure; click ends quietly.
            if ctx.params.get("debug") or isinstance(error, BrokenPipeError):
                raise
            show_error(explain_os_error(error))
            raise typer.Exit(RUN_FAILED) from None
        except Exception as error:
            # The command line's own exceptions (wrong option, exit code) print themselves.
            if ctx.params.get("debug") or type(error).__module__.split(".")[0] in ("typer", "click"):
                raise
            show_fault(error)
            raise typer.Exit(RUN_FAILED) from None


def show_error(error: CausalVAEError) -> None:
    """Print code, place, message and remedy; for a refused spec, every fault with its line."""
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


_SYSTEM_REMEDIES = {
    errno.EEXIST: "A file stands where a folder is wanted: name another folder, or move the file.",
    errno.ENOTDIR: "A file stands where a folder is wanted: name another folder, or move the file.",
    errno.EISDIR: "A folder stands where a file is wanted: name another file.",
    errno.ENOENT: "Name a path that exists.",
    errno.EACCES: "Name a place that you may read and write, or change its permissions.",
    errno.EPERM: "Name a place that you may read and write, or change its permissions.",
    errno.EROFS: "Name a place on a disk that can be written.",
    errno.ENOSPC: "Free some space, or name a place on another disk; the same command goes on where this one was.",
    errno.EDQUOT: "Free some space, or name a place on another disk; the same command goes on where this one was.",
    errno.ENAMETOOLONG: "Name a shorter path.",
    errno.EMFILE: "Close other programs, or raise the limit of open files (`ulimit -n`).",
}


def explain_os_error(error: OSError) -> CausalVAEError:
    """What the operating system refused, as an error that a user can mend: what failed, where, and the remedy."""
    paths = [str(path) for path in (error.filename, error.filename2) if path is not None]
    return CausalVAEError(
        "CV410",
        f"The operating system refused a file or folder: {error.strerror or str(error) or type(error).__name__}.",
        _SYSTEM_REMEDIES.get(
            error.errno or 0, "Check the paths in the command and the spec; `causalvae --debug ...` shows where it was."
        ),
        " -> ".join(paths) or None,
    )


def show_fault(error: Exception) -> None:
    """Print an error that nobody foresaw."""
    console = stderr()
    words = clean(str(error)) or "without a message"
    console.print(Text.assemble(("error ", "bold red"), f"{type(error).__name__}: {words}"))
    console.print(
        Text.assemble(
            ("  help: ", "green"),
            "This was not foreseen. `causalvae --debug ...` shows where it happened; please report it with that.",
        )
    )
