"""Own folders of images, and tables of their factors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from causalvae.data.factors import IntArray
from causalvae.data.files.labelled import Samples
from causalvae.data.files.own_factors import open_own
from causalvae.data.files.own_files import list_samples
from causalvae.data.files.picture_file import FORMATS, PictureForm, open_picture, read_picture
from causalvae.spec.columns import Columns

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.data.kinds.images import ImagesData


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
        Those of `list_samples` and `open_own`; CV235 for images that cannot be read.
    """
    names, columns = list_samples(section, folder, table, tuple(FORMATS), _check)
    paths = [folder / name for name in names]
    form = PictureForm(section.size, section.colour, section.background, section.scale)
    read_picture(paths[0], form, 0)
    facts = {"origin": "the user's images", "folder": folder.name, "background": section.background}
    if section.scale is not None:
        facts["scale"] = f"{list(section.scale)} to [0, 1]"
    source = PictureFiles(paths, form)
    samples = open_own("images", columns, section.factors, source, len(names), facts, table or folder)
    samples.files = names
    return samples


def _check(path: Path) -> None:
    with open_picture(path):
        pass
