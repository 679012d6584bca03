"""The user's own folder of images, and a csv of their factors."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from causalvae.data.files.labelled import Samples
from causalvae.data.files.own_factors import open_own, read_text
from causalvae.data.files.pixels import Bytes, MadePictures, PictureInputs
from causalvae.data.files.refusals import absent, misshapen
from causalvae.data.files.text_table import open_table
from causalvae.errors import CausalVAEError, first_line
from causalvae.spec.file_section import ImagesData

_KINDS: Final = (".png", ".jpg", ".jpeg")
_REMEDY: Final = "Give data.path a folder with png or jpg files."


def open_images(section: ImagesData, folder: Path, table: Path | None) -> Samples:
    """The user's images: those that the table names, or all of the folder in the order of their names.

    Raises
    ------
    CausalVAEError
        CV230 where the folder, the table or an image is absent, CV231 where there are no images or the table is none,
        CV234 for columns that it lacks, CV235 for factors that are empty and images that cannot be read, CV236 for
        factors that are not as declared.
    """
    if not folder.is_dir():
        raise absent(folder, "a folder of images", _REMEDY)
    columns = {}
    if table is None:
        names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _KINDS)
        if not names:
            raise misshapen(folder, "a folder of images", "png or jpg files", "none", _REMEDY)
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

    def make(number: int) -> Bytes:
        return read_image(folder / names[number], section.size, section.colour)

    make(0)
    channels = 3 if section.colour else 1
    source = PictureInputs(MadePictures((section.size, section.size, channels), make))
    facts = {"origin": "the user's images", "folder": folder.name}
    return open_own("images", columns, section.factors, source, len(names), facts, table or folder)


def _check_names(names: list[str], folder: Path, table: Path) -> None:
    remedy = "Name files within data.path, such as 0001.png or left/0001.png."
    home = folder.resolve()
    for name in names:
        # A table may come from elsewhere: it must not make the run read files outside the folder.
        if not (folder / name).resolve().is_relative_to(home):
            raise misshapen(table, "a table of images", "files within the folder", name, remedy)
        if not (folder / name).is_file():
            raise absent(folder / name, f"an image that {table.name} names", remedy)


def read_image(path: Path, size: int, colour: bool) -> Bytes:
    """The middle square of an image, scaled: uint8 array, shape (size, size, 3 or 1)."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            side = min(image.size)
            left, top = (image.size[0] - side) // 2, (image.size[1] - side) // 2
            kind = Image.Resampling.BOX if size <= side else Image.Resampling.BILINEAR
            plain = image.convert("RGB" if colour else "L")
            pixels = np.asarray(plain.resize((size, size), kind, (left, top, left + side, top + side)))
    except (OSError, Image.DecompressionBombError) as error:
        raise CausalVAEError(
            "CV235",
            f"{path.name} cannot be read as an image: {first_line(error)}.",
            "Replace the file, or leave it out.",
            str(path),
        ) from error
    return pixels if colour else pixels[:, :, None]
