"""Own folders with one file a sample, and the tables of their factors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from causalvae.data.files.own_factors import Told, read_text
from causalvae.data.files.refusals import absent, misshapen
from causalvae.data.files.text_table import open_table
from causalvae.spec.file_section import LabelledFiles

# Number of headers checked before a run, 0.1 ms each; other files are checked when they are read.
_CHECKED = 10_000


def list_samples(
    section: LabelledFiles, folder: Path, table: Path | None, suffixes: tuple[str, ...], check: Callable[[Path], None]
) -> tuple[list[str], dict[str, Told]]:
    """The file of each sample, and the factors that the table tells.

    Parameters
    ----------
    section : LabelledFiles
    folder : Path
    table : Path or None
        Names the files, in its order; without it they are all files of the folder with a suffix, sorted by name.
    suffixes : tuple of str
    check : callable
        Raises an error for a file whose header is not that of a sample.

    Returns
    -------
    names : list of str
        Paths within the folder.
    columns : dict
        Factor -> content of its column.

    Raises
    ------
    CausalVAEError
        CV230 if the folder, the table or a file is missing, CV231 if there are no files or the table is invalid, CV234
        for missing columns, CV235 for empty factors.
    """
    ends, columns = ", ".join(suffixes), {}
    what = f"a folder of {section.kind}"
    remedy = f"Give data.path a folder with {section.kind}: {ends}."
    if not folder.is_dir():
        raise absent(folder, what, remedy)
    if table is None:
        names = sorted(path.name for path in folder.iterdir() if has_suffix(path, suffixes))
        if not names:
            raise misshapen(folder, what, f"files that end in {ends}", "none", remedy)
    else:
        told = open_table(table, section.separator, section.decimal)
        told.require(section.file_column, "data.file_column")
        wanted = {
            factor: told.require(section.column_of(factor), f"data.factors.{factor}") for factor in section.factors
        }
        texts = told.read_text([section.file_column, *wanted.values()])
        names = texts[section.file_column].tolist()
        _check_names(names, folder, table, suffixes[0])
        columns = {
            factor: read_text(factor, texts[column], section.factors[factor].kind, section.decimal, table)
            for factor, column in wanted.items()
        }
    for name in dict.fromkeys(names[:_CHECKED]):
        check(folder / name)
    return names, columns


def has_suffix(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether a path is a file with one of the suffixes."""
    # macOS writes a file ._NAME for each NAME to disks of other systems.
    return path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()


def _check_names(names: list[str], folder: Path, table: Path, suffix: str) -> None:
    remedy = f"Name files within data.path, such as 0001{suffix} or left/0001{suffix}."
    home = folder.resolve()
    for name in names:
        # Untrusted tables must not give access to files outside the folder.
        if not (folder / name).resolve().is_relative_to(home):
            raise misshapen(table, "a table of files", "files within the folder", name, remedy)
        if not (folder / name).is_file():
            raise absent(folder / name, f"a file that {table.name} names", remedy)
