"""The command fmt: the layout of specs."""

from __future__ import annotations

import stat
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer

from causalvae.cli.console import clean, print_json, stdout
from causalvae.cli.inspecting import JsonOption
from causalvae.cli.validating import spec_files
from causalvae.errors import CausalVAEError
from causalvae.files import is_special, write_file

DIFFERENT = 1


def fmt(
    specs: Annotated[
        list[Path],
        typer.Argument(metavar="SPEC...", help="Spec files, or folders: all specs below them.", show_default=False),
    ],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if a file would change.")] = False,
    show_diff: Annotated[bool, typer.Option("--diff", help="Write nothing; print what would change.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Format the text of specs; comments and values are kept."""
    from causalvae.spec.formatting import format_text

    changed: list[Path] = []
    paths = spec_files(specs)
    for path in paths:
        data = _read(path)
        text = format_text(data, str(path))
        if text.encode() == data:
            continue
        changed.append(path)
        if show_diff and not as_json:
            _print_diff(path, data.decode(), text)
        if not (check or show_diff):
            _replace(path, text)
    if as_json:
        print_json({"checked": len(paths), "changed": [str(path) for path in changed]})
    elif not show_diff:
        from causalvae.spec.diagnostics import printable

        console = stdout()
        for path in changed:
            console.print(printable(f"{'would change' if check else 'changed'} {path}"), soft_wrap=True)
        console.print(f"{len(changed)} of {len(paths)} files {'would change' if check else 'changed'}.")
    raise typer.Exit(DIFFERENT if check and changed else 0)


def _read(path: Path) -> bytes:
    """The content of a file, and no more than shows that it is too large."""
    from causalvae.spec.yaml_tree import MAX_BYTES

    if is_special(path):
        raise CausalVAEError("CV412", "A device or pipe cannot be laid out.", "Name a file.", str(path))
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _replace(path: Path, text: str) -> None:
    """Write a file that exists, with the permissions that it has."""
    if path.is_symlink():
        said = "The file is a symbolic link, and nothing is written through links."
        raise CausalVAEError("CV412", said, f"Name the file that it leads to ({path.readlink()}).", str(path))
    mode = path.stat().st_mode
    if not mode & stat.S_IWUSR:
        raise CausalVAEError(
            "CV412", "The file is read-only.", "Make it writable, or use --check or --diff.", str(path)
        )
    write_file(path, text)
    path.chmod(stat.S_IMODE(mode))


def _print_diff(path: Path, before: str, after: str) -> None:
    console = stdout()
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm=""):
        console.print(clean(line), style=styles.get(line[:1], ""), soft_wrap=True)
