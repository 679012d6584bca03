"""The command validate."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from causalvae.cli.console import clean, print_json, stderr, stdout
from causalvae.cli.inspecting import JsonOption, SetOption
from causalvae.collector import uncollected
from causalvae.errors import CausalVAEError
from causalvae.pytest_plugin.names import SUFFIX

if TYPE_CHECKING:
    from causalvae.spec.diagnostics import Diagnostic

INVALID = 2
_IS_SPEC = re.compile(rb"^spec:[ \t]*[\"']?causalvae/", re.M)
_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})


class DiagnosticFormat(StrEnum):
    """How diagnostics are printed."""

    TEXT = "text"
    GITHUB = "github"
    SARIF = "sarif"
    JSON = "json"


@dataclass(frozen=True)
class Checked:
    """A file that was checked; the digest and the resolved spec of an invalid one are None and empty."""

    path: Path
    digest: str | None
    diagnostics: tuple[Diagnostic, ...]
    resolved: str = ""


def validate(
    specs: Annotated[
        list[Path],
        typer.Argument(metavar="SPEC...", help="Spec files, or folders: all specs below them.", show_default=False),
    ],
    settings: SetOption = None,
    form: Annotated[
        DiagnosticFormat | None,
        typer.Option(
            "--format",
            help="text; github (annotations in GitHub Actions); sarif (code scanning); json.",
            show_default=False,
        ),
    ] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print each spec with all values and their origins.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check specs and show all errors, without loading a network.

    Exit code 0 if all specs are valid, 2 if one is not.
    """
    form = form or (DiagnosticFormat.JSON if as_json else DiagnosticFormat.TEXT)
    if as_json and form is not DiagnosticFormat.JSON:
        raise typer.BadParameter("--json is --format json")
    with uncollected():
        checked = [_check(path, tuple(settings or ()), resolved) for path in spec_files(specs)]
    if form is DiagnosticFormat.JSON:
        _print_json(checked)
    elif form is DiagnosticFormat.GITHUB:
        from causalvae.cli.diagnostic_formats import github_commands

        sys.stdout.write("".join(line + "\n" for each in checked for line in github_commands(each.diagnostics)))
    elif form is DiagnosticFormat.SARIF:
        from causalvae.cli.diagnostic_formats import sarif_log

        print_json(sarif_log([fault for each in checked for fault in each.diagnostics]))
    else:
        for each in checked:
            _show(each)
    raise typer.Exit(0 if all(each.digest is not None for each in checked) else INVALID)


def spec_files(paths: Sequence[Path]) -> list[Path]:
    """The given files, and the specs below the given folders, each once.

    Hidden folders are omitted, and the resolved specs of runs, which have a manifest next to them.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = [file for file in _files_below(path) if _is_spec(file)]
        if not found:
            error = CausalVAEError(
                "CV431",
                "There is no spec below the folder.",
                f"A spec is a YAML file with a line `spec: causalvae/...`, or is named *{SUFFIX}.",
                path,
            )
            error.exit_code = INVALID
            raise error
        files += found
    return list(dict.fromkeys(files))


def _files_below(folder: Path) -> Iterator[Path]:
    waiting = sorted(folder.iterdir(), reverse=True)
    while waiting:
        path = waiting.pop()
        if path.is_dir():
            if not (path.name.startswith(".") or path.name in _SKIPPED or path.is_symlink()):
                waiting += sorted(path.iterdir(), reverse=True)
        elif path.suffix in (".yaml", ".yml") and path.is_file():
            yield path


def _is_spec(path: Path) -> bool:
    if path.name.endswith(SUFFIX):
        return True
    if path.with_name("manifest.json").is_file():
        return False
    from causalvae.spec.yaml_tree import MAX_BYTES

    with path.open("rb") as file:
        return _IS_SPEC.search(file.read(MAX_BYTES)) is not None


def _check(path: Path, settings: tuple[str, ...], resolved: bool) -> Checked:
    from causalvae.digest import digest
    from causalvae.spec import Spec, write_resolved
    from causalvae.spec.loader import read_whole

    read = read_whole(path, settings)
    if read.spec is None:
        return Checked(path, None, read.diagnostics)
    name = read.spec.digest if isinstance(read.spec, Spec) else digest(read.spec.model_dump(mode="json"))
    whole = write_resolved(read.spec, origins=read.origins) if resolved else ""
    return Checked(path, name, read.diagnostics, whole)


def _print_json(checked: Sequence[Checked]) -> None:
    print_json(
        {
            "valid": all(each.digest is not None for each in checked),
            "files": [
                {
                    "file": str(each.path),
                    "valid": each.digest is not None,
                    "digest": each.digest,
                    "diagnostics": [diagnostic.to_dict() for diagnostic in each.diagnostics],
                    **({"resolved": each.resolved} if each.resolved else {}),
                }
                for each in checked
            ],
        }
    )


def _show(checked: Checked) -> None:
    from causalvae.spec.diagnostics import printable

    errors, console = stderr(), stdout()
    for diagnostic in checked.diagnostics:
        text = diagnostic.render(errors.is_terminal and not errors.no_color)
        errors.print(Text.from_ansi(text), soft_wrap=True)
        errors.print()
    faults = sum(diagnostic.severity == "error" for diagnostic in checked.diagnostics)
    warnings = len(checked.diagnostics) - faults
    noted = f", {_count(warnings, 'warning')}" if warnings else ""
    # A file's name may hold line ends, and a line that begins with `::` is a command to GitHub Actions.
    path = printable(str(checked.path))
    if checked.resolved:
        console.print(clean(checked.resolved), soft_wrap=True, end="")
        # Standard output is a spec then, and nothing else.
        console = errors
    if checked.digest is None:
        line = Text.assemble(("✗ ", "bold red"), f"{path}: {_count(faults, 'error')}{noted}")
    else:
        line = Text.assemble(("✓ ", "bold green"), f"{path}: valid{noted} (digest {checked.digest})")
    console.print(line, soft_wrap=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
