"""CelebA (Liu et al. 2015): aligned faces with 40 attributes, in its authors' layout or Kaggle's.

The authors' lists are text separated by blanks: the number of images, the names of the attributes, then for each image
its name and -1 or 1 per attribute. Kaggle's are csv files with the same columns and a header.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from causalvae.data.files.labelled import ObservedSamples, space_of
from causalvae.data.files.picture_file import open_picture
from causalvae.data.files.pixels import Bytes, MadePictures, PictureInputs
from causalvae.data.files.refusals import absent, misshapen
from causalvae.data.official_factors import CELEBA, CELEBA_ATTRIBUTES

Part = Literal["all", "train", "valid", "test"]

_WIDTH, _HEIGHT = 178, 218
_PARTS: Final = {"train": 0, "valid": 1, "test": 2}
_WHAT = "CelebA"
_REMEDY = (
    "Give data.path the folder with img_align_celeba and list_attr_celeba.txt as published, or Kaggle's with "
    "list_attr_celeba.csv; data.part needs list_eval_partition as well."
)


SPACE: Final = space_of(CELEBA)


def open_celeba(folder: Path, part: Part, crop: int, size: int) -> ObservedSamples:
    """Open CelebA, whose attributes are observed and not settable.

    Parameters
    ----------
    folder : Path
    part : {"all", "train", "valid", "test"}
    crop : int
        Side of the central square that is cut out, in pixels.
    size : int
        Width and height of the result in pixels.

    Raises
    ------
    CausalVAEError
        CV230 if files are missing, CV231 if their layout is wrong. Missing images and images of another size raise
        errors when they are read.
    """
    if not folder.is_dir():
        raise absent(folder, "the folder of CelebA", _REMEDY)
    names, attributes = _read_attributes(_find(folder, "list_attr_celeba"))
    if part != "all":
        chosen = _read_parts(_find(folder, "list_eval_partition"), names) == _PARTS[part]
        names, attributes = [names[row] for row in np.flatnonzero(chosen)], attributes[chosen]
    if not names:
        raise misshapen(folder, _WHAT, f"images of the part {part}", "none", _REMEDY)
    # Kaggle's archive contains the folder within a folder of the same name.
    images = folder / "img_align_celeba"
    nested = images / "img_align_celeba"
    images = nested if nested.is_dir() else images
    if not images.is_dir():
        raise absent(images, "the aligned and cropped images", _REMEDY)

    def make(number: int) -> Bytes:
        return read_face(images / names[number], crop, size)

    make(0)
    facts = {"origin": "official files", "part": part, "crop": crop}
    samples = ObservedSamples("celeba", SPACE, PictureInputs(MadePictures((size, size, 3), make)), facts, attributes)
    samples.files = names
    return samples


def read_face(path: Path, crop: int, size: int) -> Bytes:
    """The central `crop` x `crop` pixels of one aligned face, scaled, uint8, (size, size, 3)."""
    from PIL.Image import Resampling

    if not path.is_file():
        raise absent(path, "an image that list_attr_celeba names", _REMEDY)
    with open_picture(path) as image:
        if image.size != (_WIDTH, _HEIGHT):
            found = f"{image.size[0]} x {image.size[1]}"
            raise misshapen(path, _WHAT, f"{_WIDTH} x {_HEIGHT} pixels", found, _REMEDY)
        left, top = (_WIDTH - crop) // 2, (_HEIGHT - crop) // 2
        kind = Resampling.BOX if size <= crop else Resampling.BILINEAR
        box = (left, top, left + crop, top + crop)
        return np.asarray(image.convert("RGB").resize((size, size), kind, box))


def _find(folder: Path, stem: str) -> Path:
    for path in (folder / f"{stem}.txt", folder / f"{stem}.csv"):
        if path.is_file():
            return path
    raise absent(folder / f"{stem}.txt", "or .csv", _REMEDY)


def _read_attributes(path: Path) -> tuple[list[str], npt.NDArray[np.int8]]:
    """Names of images, and -1 or 1 for each attribute in the order of `CELEBA_ATTRIBUTES`, (images, 40)."""
    is_text = path.suffix == ".txt"
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        count = file.readline().strip() if is_text else ""
        lines = (line.split() for line in file) if is_text else csv.reader(file)
        header = [name.strip() for name in next(lines, [])]
        columns = header if is_text else header[1:]
        if sorted(columns) != sorted(CELEBA_ATTRIBUTES):
            found = f"{len(columns)}: {', '.join(columns[:3])}"
            raise misshapen(path, _WHAT, "the names of its 40 attributes", found, _REMEDY)
        names: list[str] = []
        flags = bytearray()
        for line in lines:
            if len(line) != 1 + len(columns) or not set(line[1:]) <= {"-1", "1"}:
                found = f"{' '.join(line)[:60]} after {len(names)} images"
                raise misshapen(path, _WHAT, "an image's name and 40 times -1 or 1", found, _REMEDY)
            if Path(line[0]).name != line[0]:
                raise misshapen(path, _WHAT, "names of files", line[0], _REMEDY)
            names.append(line[0])
            flags.extend(value == "1" for value in line[1:])
    if is_text and count != str(len(names)):
        raise misshapen(path, _WHAT, f"{count[:20]} images, as its first line says", f"{len(names)}", _REMEDY)
    told = np.frombuffer(flags, dtype=np.int8).reshape(len(names), len(columns))
    order = [columns.index(attribute) for attribute in CELEBA_ATTRIBUTES]
    return names, np.where(told[:, order] == 1, 1, -1).astype(np.int8)


def _read_parts(path: Path, names: list[str]) -> npt.NDArray[np.int64]:
    """0, 1 or 2 (train, valid or test) for each image, (images,)."""
    is_text = path.suffix == ".txt"
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        lines = [line.split() for line in file] if is_text else list(csv.reader(file))[1:]
    parts = {line[0]: line[1] for line in lines if len(line) == 2 and line[1] in ("0", "1", "2")}
    if len(parts) != len(lines):
        raise misshapen(path, _WHAT, "an image's name and 0, 1 or 2 a line", "another line", _REMEDY)
    missing = [name for name in names if name not in parts]
    if missing:
        raise misshapen(path, _WHAT, "every image that list_attr_celeba names", f"no {missing[0]}", _REMEDY)
    return np.array([int(parts[name]) for name in names])
