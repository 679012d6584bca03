"""MorphoMNIST: handwritten digits with a structural model in which thickness causes intensity.

The version of Pawlowski, Castro and Glocker 2020 ("Deep structural causal models"), as published with causal-gen: IDX
files of images and labels, and a table of thickness (pixels) and intensity (grey levels of 255). The structural model
of the published tables is

    thickness = 0.5 + Gamma(shape 10, scale 1/5)
    intensity = 64 + 191 sigmoid(noise / 2 + 2 thickness - 5),   noise ~ N(0, 1)
    image     = a handwritten digit with strokes of that thickness and intensity.

The noise of a sample follows from its thickness and intensity, so counterfactuals are known: under do(thickness = t')
the log-odds of the intensity change by 2 (t' - t), and the strokes of the image are changed accordingly.
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
_REMEDY = (
    "Give data.path the folder with train- or t10k-images-idx3-ubyte, -labels-idx1-ubyte (each may be gzipped) and "
    "-morpho.csv."
)

SPACE: Final = space_of(MORPHOMNIST)

# Columns of rows: number of the image, thickness, intensity, and whether the intensity was set, so that it no longer
# depends on the thickness.
_IMAGE, _THICKNESS, _INTENSITY, _IS_SET = range(4)


def propagate_thickness(thickness: FloatArray, intensity: FloatArray, new: FloatArray) -> FloatArray:
    """Counterfactual intensity under another thickness, with the same noise; all arrays (n,)."""
    share = (intensity - DARKEST) / SPAN
    log_odds = np.log(share) - np.log1p(-share)
    return np.asarray(DARKEST + SPAN / (1 + np.exp(-(log_odds + _SLOPE * (new - thickness)))))


@dataclass(frozen=True)
class MorphoMnistFiles:
    """The content of the files of one part of the data set.

    Parameters
    ----------
    images : uint8 array, shape (n, 28, 28)
        Memory-mapped.
    digits : int array, shape (n,)
    thickness, intensity : float array, shape (n,)
    """

    images: npt.NDArray[np.uint8]
    digits: IntArray
    thickness: FloatArray
    intensity: FloatArray


def read_morphomnist(folder: Path, part: Literal["train", "t10k"]) -> MorphoMnistFiles:
    """Read labels and table, and memory-map the images.

    Raises
    ------
    CausalVAEError
        CV230 if a file is missing, CV231 if a layout is wrong or the files do not match.
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
            "positive thickness, and intensity between 64 and 255, both exclusive",
            f"{thickness.min():g} to {thickness.max():g} and {intensity.min():g} to {intensity.max():g}",
            _REMEDY,
        )
    return thickness, intensity


class MorphoMnistDataset(Reopened):
    """MorphoMNIST with counterfactuals from its structural model.

    - do(thickness) moves the outline of the strokes (`causalvae.data.files.strokes.restroke`); with ``others:
      propagate`` the intensity follows by the structural equation, with ``hold`` it is unchanged.
    - do(intensity) changes the brightness of the strokes; it has no descendants.
    - do(digit) replaces the image by that of the other digit nearest in thickness, with the thickness and intensity of
      the sample. This is a draw from the interventional distribution, matched in factors, not a counterfactual of the
      handwriting, which is unknown.

    Parameters
    ----------
    folder : Path
    part : {"train", "t10k"}
        60,000 or 10,000 images, as published.
    size : {28, 32}
        Width and height in pixels; 32 adds a dark border of 2 pixels.

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
        """Draw `n` samples with replacement: float, (n, 4)."""
        return self.rows_at(rng.integers(0, len(self._files.images), n))

    def rows_at(self, numbers: IntArray) -> FloatArray:
        """Rows of the samples with these numbers, float, (n, 4)."""
        files = self._files
        return np.stack(
            [numbers, files.thickness[numbers], files.intensity[numbers], np.zeros(len(numbers))],
            axis=1,
            dtype=np.float64,
        )

    def numbers_of(self, rows: Rows) -> IntArray:
        """Numbers of the images of samples, int, (n,)."""
        return rows[:, _IMAGE].astype(np.int64)

    def files_of(self, numbers: IntArray) -> tuple[str, ...]:
        """Empty, since all images are in one file."""
        return ()

    def values(self, rows: Rows) -> FloatArray:
        """Digit, thickness in pixels and intensity in grey levels, float, (n, 3)."""
        digits = self._files.digits[self.numbers_of(rows)]
        return np.stack([digits, rows[:, _THICKNESS], rows[:, _INTENSITY]], axis=1)

    def inputs(self, rows: Rows) -> Tensor:
        """Images of samples in [0, 1], float32, (n, *input_shape)."""
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
        # Relative to the label, which differs from the brightness of the image by rounding.
        light = image.astype(np.float64)
        return restroke(light, row[_THICKNESS] - was_thick, brightness(light) * row[_INTENSITY] / was_bright)

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """Counterfactual samples under do(`factor` = `values`); see the class."""
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
        """Number of the image of `digits` nearest in thickness to each sample, (n,); its own for the same digit."""
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
        """True values of the readouts ``thickness`` and ``intensity``, each (n,)."""
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
