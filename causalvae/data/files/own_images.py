"""Own folders of images, and tables of their factors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from causalvae.data.factors import IntArray
from causalvae.data.files.labelled import Samples
from causalvae.data.files.own_factors import open_own, read_text
from causalvae.data.files.picture_file import FORMATS, PictureForm, open_picture, read_picture
from causalvae.data.files.refusals import absent, misshapen
from causalvae.data.files.text_table import open_table
from causalvae.spec.columns import Columns

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.data.kinds.images import ImagesData

_REMEDY: Final = f"Give data.path a folder with images: {', '.join(FORMATS)}."
# Number of headers checked before a run, 0.1 ms each; other files are checked when they are read.
_CHECKED: Final = 10_000


class PictureFiles:
    """Pictures with one file each as inputs, read on demand.

    Parameters
    ----------
    paths : list of Path
        The file of each sample.
    form : PictureForm
    """

    columns: Columns | None = None

    def __init__(self, paths: list[Path], form: PictureForm) -> None:
        self._paths, self._form = paths, form

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Channels, height and width."""
        return 3 if self._form.colour else 1, self._form.size, self._form.size

    def read(self, numbers: IntArray) -> Tensor:
        """Pictures with these numbers, float32, (n, channels, size, size); see `read_picture`."""
        import torch

        found = np.empty((len(numbers), *self.input_shape), dtype=np.float32)
        for position, number in enumerate(numbers):
            found[position] = np.moveaxis(read_picture(self._paths[number], self._form, int(number)), -1, 0)
        return torch.from_numpy(found)


def open_images(section: ImagesData, folder: Path, table: Path | None) -> Samples:
    """Open own images: those in the table, or all of the folder, sorted by name.

    Raises
    ------
    CausalVAEError
        CV230 if the folder, the table or an image is missing, CV231 if there are no images or the table is invalid,
        CV234 for missing columns, CV235 for empty factors and images that cannot be read, CV236 for factors of another
        kind than declared.
    """
    if not folder.is_dir():
        raise absent(folder, "a folder of images", _REMEDY)
    columns = {}
    if table is None:
        names = sorted(path.name for path in folder.iterdir() if _is_picture(path))
        if not names:
            raise misshapen(folder, "a folder of images", f"files that end in {', '.join(FORMATS)}", "none", _REMEDY)
    else:
        told = open_table(table, section.separator, section.decimal)
        told.require(section.file_column, "data.file_column")
        wanted = {
            factor: told.require(section.column_of(factor), f"data.factors.{factor}") for factor in section.factors
        }
        texts = told.read_text([section.file_column, *wanted.values()])
        names = texts[section.file_column].tolist()
        _check_names(names, folder, table)
        columns = {
            factor: read_text(factor, texts[column], section.factors[factor].kind, section.decimal, table)
            for factor, column in wanted.items()
        }
    paths = [folder / name for name in names]
    for path in dict.fromkeys(paths[:_CHECKED]):
        with open_picture(path):
            pass
    form = PictureForm(section.size, section.colour, section.background, section.scale)
    read_picture(paths[0], form, 0)
    facts = {"origin": "the user's images", "folder": folder.name, "background": section.background}
    if section.scale is not None:
        facts["scale"] = f"{list(section.scale)} to [0, 1]"
    source = PictureFiles(paths, form)
    samples = open_own("images", columns, section.factors, source, len(names), facts, table or folder)
    samples.files = names
    return samples


def _is_picture(path: Path) -> bool:
    # macOS writes a file ._NAME for each NAME to disks of other systems.
    return path.suffix.lower() in FORMATS and not path.name.startswith(".") and path.is_file()


def _check_names(names: list[str], folder: Path, table: Path) -> None:
    remedy = "Name files within data.path, such as 0001.png or left/0001.png."
    home = folder.resolve()
    for name in names:
        # Untrusted tables must not give access to files outside the folder.
        if not (folder / name).resolve().is_relative_to(home):
            raise misshapen(table, "a table of images", "files within the folder", name, remedy)
        if not (folder / name).is_file():
            raise absent(folder / name, f"an image that {table.name} names", remedy)
