"""MorphoMNIST: handwritten digits whose strokes' thickness causes their intensity, by a known structural model.

The version of Pawlowski, Castro and Glocker 2020 ("Deep structural causal models"), as published with causal-gen: IDX
files of images and labels, and a table of each image's thickness (pixels) and intensity (grey levels of 255). Its
structural model, which the published tables follow (tests/data/test_morphomnist.py), is

    thickness = 0.5 + Gamma(shape 10, scale 1/5)
    intensity = 64 + 191 sigmoid(noise / 2 + 2 thickness - 5),   noise ~ N(0, 1)
    image     = a handwritten digit, its strokes made that thick and that bright.

A sample's noise follows from its thickness and intensity, so its counterfactual does: under do(thickness = t') the
intensity's log-odds move by 2 (t' - t), and the image is the sample's own with thicker, brighter strokes.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FactorSpace, FloatArray, IntArray, Rows
from causalvae.data.files.binary import idx_layout, map_file
from causalvae.data.files.labelled import space_of
from causalvae.data.files.opening import Reopened
from causalvae.data.files.refusals import absent, misshapen
from causalvae.data.files.strokes import brightness, restroke
from causalvae.data.official_factors import MORPHOMNIST
from causalvae.data.others import Others, recomputed
from causalvae.errors import CausalVAEError
from causalvae.spec.columns import Columns

if TYPE_CHECKING:
    from torch import Tensor

SIDE: Final = 28
DARKEST: Final = 64.0
SPAN: Final = 191.0
_SLOPE: Final = 2.0
_OFFSET: Final = -5.0
_NOISE: Final = 0.5
_REMEDY = (
    "Give data.path the folder with train- or t10k-images-idx3-ubyte, -labels-idx1-ubyte (each may be gzipped) and "
    "-morpho.csv."
)

SPACE: Final = space_of(MORPHOMNIST)

# What a row holds: the number of the image, the thickness and intensity it is given, and whether the intensity was set
# from outside, so that the thickness does not make it any more.
_IMAGE, _THICKNESS, _INTENSITY, _IS_SET = range(4)


def intensity_of(thickness: FloatArray, noise: FloatArray) -> FloatArray:
    """The structural equation of intensity, in grey levels; arrays that broadcast."""
    return np.asarray(DARKEST + SPAN / (1 + np.exp(-(_NOISE * noise + _SLOPE * thickness + _OFFSET))))


def propagate_thickness(thickness: FloatArray, intensity: FloatArray, new: FloatArray) -> FloatArray:
    """The intensity that a sample would have under another thickness, its own noise kept; all of shape (n,)."""
    share = (intensity - DARKEST) / SPAN
    log_odds = np.log(share) - np.log1p(-share)
    return np.asarray(DARKEST + SPAN / (1 + np.exp(-(log_odds + _SLOPE * (new - thickness)))))


@dataclass(frozen=True)
class MorphoMnistFiles:
    """What the files of one part of the data set hold.

    Parameters
    ----------
    images : uint8 array, shape (n, 28, 28)
        Mapped from disk.
    digits : int array, shape (n,)
    thickness, intensity : float array, shape (n,)
    """

    images: npt.NDArray[np.uint8]
    digits: IntArray
    thickness: FloatArray
    intensity: FloatArray


def read_morphomnist(folder: Path, part: Literal["train", "t10k"]) -> MorphoMnistFiles:
    """Read labels and table, and map the images.

    Raises
    ------
    CausalVAEError
        CV230 where a file is absent, CV231 where it is laid out otherwise or the files do not belong together.
    """
    if not folder.is_dir():
        raise absent(folder, "the folder with MorphoMNIST's files", _REMEDY)
    images_file = _find(folder, f"{part}-images-idx3-ubyte")
    images = map_file(images_file, "MorphoMNIST's images", idx_layout, _REMEDY)
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE) or not len(images):
        found = f"shape {images.shape} of {images.dtype.name}"
        raise misshapen(images_file, "MorphoMNIST's images", "bytes of shape (n, 28, 28)", found, _REMEDY)
    labels_file = _find(folder, f"{part}-labels-idx1-ubyte")
    labels = map_file(labels_file, "MorphoMNIST's labels", idx_layout, _REMEDY)
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        found = f"shape {labels.shape} of {labels.dtype.name}"
        raise misshapen(labels_file, "MorphoMNIST's labels", f"{len(images)} bytes, as many as images", found, _REMEDY)
    if labels.max() > 9:
        raise misshapen(labels_file, "MorphoMNIST's labels", "digits from 0 to 9", f"{labels.max()}", _REMEDY)
    thickness, intensity = _read_table(folder / f"{part}-morpho.csv", len(images))
    return MorphoMnistFiles(images, labels.astype(np.int64), thickness, intensity)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise absent(folder / name, "plain or with .gz", _REMEDY)


def _read_table(path: Path, n: int) -> tuple[FloatArray, FloatArray]:
    if not path.is_file():
        raise absent(path, "thickness and intensity of each image", _REMEDY)
    what = "MorphoMNIST's table"
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        lines = csv.reader(file)
        header = [name.strip() for name in next(lines, [])]
        if header != ["index", "thickness", "intensity"]:
            raise misshapen(path, what, "the columns index, thickness, intensity", ", ".join(header), _REMEDY)
        table = np.empty((n, 2))
        row = -1
        for row, cells in enumerate(lines):
            try:
                index, *numbers = map(float, cells)
            except ValueError:
                raise misshapen(path, what, "three numbers a line", ",".join(cells), _REMEDY) from None
            if row >= n or index != row or len(numbers) != 2:
                raise misshapen(path, what, f"the images 0 to {n - 1} in order", f"line {row}: {cells}", _REMEDY)
            table[row] = numbers
    if row + 1 != n:
        raise misshapen(path, what, f"{n} lines, as many as images", f"{row + 1}", _REMEDY)
    thickness, intensity = table.T
    if (
        not ((thickness > 0) & np.isfinite(thickness)).all()
        or not ((intensity > DARKEST) & (intensity < DARKEST + SPAN)).all()
    ):
        raise misshapen(
            path,
            what,
            "positive thickness and intensity between 64 and 255, ends left out",
            f"{thickness.min():g} to {thickness.max():g} and {intensity.min():g} to {intensity.max():g}",
            _REMEDY,
        )
    return thickness, intensity


class MorphoMnistDataset(Reopened):
    """MorphoMNIST from its files, with counterfactuals by its structural model.

    - do(thickness) moves the outline of the sample's own strokes (`causalvae.data.files.strokes.restroke`); with
      ``others: propagate`` the intensity follows by the structural equation, with ``hold`` it stays.
    - do(intensity) makes the strokes brighter or darker; it has no descendants among the factors.
    - do(digit) puts in the sample's place the image of that digit that is nearest in thickness, with the sample's own
      thickness and intensity: how this hand would have written another digit is in no file, so this is a draw from
      the interventional distribution, matched in its factors, and no counterfactual of the handwriting.

    Parameters
    ----------
    folder : Path
    part : {"train", "t10k"}
        60,000 or 10,000 images, as published.
    size : {28, 32}
        Pixels a side; 32 has a dark rim of 2 pixels, which halves evenly more often.

    Raises
    ------
    CausalVAEError
        CV230 or CV231; see `read_morphomnist`.
    """

    name = "morphomnist"
    space: FactorSpace = SPACE
    columns: Columns | None = None

    def __init__(self, folder: Path, part: Literal["train", "t10k"] = "train", size: Literal[28, 32] = 28) -> None:
        self._files = read_morphomnist(folder, part)
        self._folder, self._part = folder, part
        self._rim = (size - SIDE) // 2
        self.input_shape: tuple[int, ...] = (1, size, size)

    @property
    def size(self) -> int | None:
        """Number of images."""
        return len(self._files.images)

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """`n` samples of the files, with replacement: float array, shape (n, 4)."""
        return self.rows_at(rng.integers(0, len(self._files.images), n))

    def rows_at(self, numbers: IntArray) -> FloatArray:
        """The samples with these numbers in the files: float array, shape (n, 4)."""
        files = self._files
        return np.stack(
            [numbers, files.thickness[numbers], files.intensity[numbers], np.zeros(len(numbers))],
            axis=1,
            dtype=np.float64,
        )

    def numbers_of(self, rows: Rows) -> IntArray:
        """Numbers of the images that samples show, changed or not: int array, shape (n,)."""
        return rows[:, _IMAGE].astype(np.int64)

    def files_of(self, numbers: IntArray) -> tuple[str, ...]:
        """Nothing: all images are in one file."""
        return ()

    def values(self, rows: Rows) -> FloatArray:
        """Digit, thickness in pixels and intensity in grey levels: float array, shape (n, 3)."""
        digits = self._files.digits[self.numbers_of(rows)]
        return np.stack([digits, rows[:, _THICKNESS], rows[:, _INTENSITY]], axis=1)

    def inputs(self, rows: Rows) -> Tensor:
        """The images of samples: float32 tensor, shape (n, *input_shape), values from 0 to 1."""
        import torch

        images = np.zeros((len(rows), *self.input_shape[1:]), dtype=np.float32)
        inner = slice(self._rim, self._rim + SIDE)
        for position, row in enumerate(rows):
            images[position, inner, inner] = self._image(row) / 255
        return torch.from_numpy(images).unsqueeze(1)

    def _image(self, row: npt.NDArray[Any]) -> npt.NDArray[Any]:
        number = int(row[_IMAGE])
        image = self._files.images[number]
        was_thick, was_bright = self._files.thickness[number], self._files.intensity[number]
        if row[_THICKNESS] == was_thick and row[_INTENSITY] == was_bright:
            return np.asarray(image)
        # Relative to the label, from which an image's brightness is off by its rounding: no change leaves no trace.
        light = image.astype(np.float64)
        return restroke(light, row[_THICKNESS] - was_thick, brightness(light) * row[_INTENSITY] / was_bright)

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """The same samples under do(`factor` = `values`); see the class."""
        changed = rows.copy()
        if factor == "digit":
            changed[:, _IMAGE] = self._alike(rows, self.space["digit"].levels_at(values))
        elif factor == "thickness":
            changed[:, _THICKNESS] = values
            if recomputed(others, ("intensity",)):
                follows = rows[:, _IS_SET] == 0
                own = rows[follows]
                then = propagate_thickness(own[:, _THICKNESS], own[:, _INTENSITY], values[follows])
                changed[follows, _INTENSITY] = then
            else:
                changed[:, _IS_SET] = 1
        else:
            changed[:, _INTENSITY] = values
            changed[:, _IS_SET] = 1
        return changed

    def _alike(self, rows: Rows, digits: IntArray) -> IntArray:
        """For each sample the image of another digit that is nearest in thickness; its own image for its own digit."""
        numbers = self.numbers_of(rows)
        found = numbers.copy()
        for digit in np.unique(digits):
            asked = (digits == digit) & (self._files.digits[numbers] != digit)
            candidates = np.flatnonzero(self._files.digits == digit)
            if not asked.any():
                continue
            if not len(candidates):
                raise CausalVAEError(
                    "CV206",
                    f"The files hold no image of a {digit}.",
                    "Use a part of MorphoMNIST with all ten digits, or set another factor.",
                    str(self._folder),
                )
            order = candidates[np.argsort(self._files.thickness[candidates], kind="stable")]
            known = self._files.thickness[order]
            wanted = rows[asked, _THICKNESS]
            above = np.searchsorted(known, wanted).clip(0, len(known) - 1)
            below = np.maximum(above - 1, 0)
            nearer = np.abs(known[below] - wanted) <= np.abs(known[above] - wanted)
            found[asked] = order[np.where(nearer, below, above)]
        return found

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """What the readouts ``thickness`` and ``intensity`` should find."""
        return {"thickness": rows[:, _THICKNESS].copy(), "intensity": rows[:, _INTENSITY].copy()}

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        return {
            "source": "morphomnist",
            "origin": "official files",
            "part": self._part,
            "images": len(self._files.images),
            "factors": ", ".join(self.space.names),
            "structural model": "thickness -> intensity -> image <- digit",
            "input_shape": list(self.input_shape),
        }
