"""The interface of data sets, and dSprites, drawn or read from its file."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from causalvae.boundary import boundary
from causalvae.data.conditioned import ConditionedDataset
from causalvae.data.dsprites import SIDE, SPACE, Images, render_levels, true_geometry
from causalvae.data.factors import FactorSpace, FloatArray, IntArray, Rows
from causalvae.data.files.opening import Reopened
from causalvae.data.grid import Grid
from causalvae.data.official import OfficialFile
from causalvae.data.others import Others
from causalvae.spec.columns import Columns
from causalvae.spec.data_section import DataSection

if TYPE_CHECKING:
    from torch import Tensor


class Dataset(Protocol):
    """Inputs with factors and counterfactuals.

    A sample is represented by a row, whose content is known only to its data set.

    Attributes
    ----------
    name : str
    space : FactorSpace
        The factors and their levels; empty if the data have no labels.
    input_shape : tuple of int
        Shape of one input, without the batch axis.
    size : int or None
        Number of distinct samples; None if infinite.
    """

    @property
    def name(self) -> str:
        """Name of the data set."""
        ...

    @property
    def space(self) -> FactorSpace:
        """The factors and their levels."""
        ...

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""
        ...

    @property
    def size(self) -> int | None:
        """Number of distinct samples; None if infinite."""
        ...

    @property
    def columns(self) -> Columns | None:
        """Names and scaling of the columns if inputs are rows of a table, else None."""
        ...

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Draw `n` independent samples, with replacement for finite data: rows, (n, width).

        For training. Estimates and tests use `causalvae.data.pairs`, without replacement.
        """
        ...

    def values(self, rows: Rows) -> FloatArray:
        """Physical values of the factors, float, (n, n_factors)."""
        ...

    def inputs(self, rows: Rows) -> Tensor:
        """Inputs of samples, float32, (n, *input_shape)."""
        ...

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """Counterfactual samples under do(`factor` = `values`), (n, width).

        Parameters
        ----------
        rows : array, shape (n, width)
        factor : str
        values : float array, shape (n,)
        others : "hold", "propagate" or Release
            ``propagate`` recomputes the descendants of the factor in the structural model with the noise of each
            sample, ``hold`` keeps their values, and `Release` recomputes only the named ones. No effect if factors do
            not cause one another.

        Raises
        ------
        CausalVAEError
            CV206 if counterfactuals are unknown.
        """
        ...

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """True values of readouts of the inputs by name, each (n,); nan if undefined.

        Names are, for example, ``area`` or ``centroid x``; see `causalvae.data.dsprites.true_geometry`. Empty if
        unknown.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Facts for a report: name -> text or number."""
        ...


class FiniteDataset(Dataset, Protocol):
    """A finite data set, whose samples have numbers from 0 to size - 1."""

    def rows_at(self, numbers: IntArray) -> Rows:
        """Rows of the samples with these numbers, (n, width)."""
        ...

    def numbers_of(self, rows: Rows) -> IntArray:
        """Numbers of the samples of rows, int, (n,).

        For a row from `intervene` it is the number of that sample if there is one, else of the sample that was changed.
        """
        ...

    def files_of(self, numbers: IntArray) -> tuple[str, ...]:
        """The file of each sample; empty if there is not one file per sample."""
        ...


def as_finite(dataset: Dataset) -> FiniteDataset | None:
    """`dataset` if it is finite, else None."""
    return None if dataset.size is None else cast(FiniteDataset, dataset)


class DspritesDataset(Grid):
    """dSprites drawn by this package; see `causalvae.data.dsprites` for differences from the original."""

    name = "dsprites"
    space: FactorSpace = SPACE
    input_shape: tuple[int, ...] = (1, SIDE, SIDE)

    def inputs(self, rows: Rows) -> Tensor:
        """Sprites at levels `rows`, (n, 5): zeros and ones, float32, (n, 1, 64, 64)."""
        return to_tensor(render_levels(rows))

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """True values of geometric readouts; see `true_geometry`."""
        return true_geometry(rows)

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        return {
            "source": "dsprites",
            "origin": "regenerated by this package (not byte-identical to the original)",
            "images": len(self.space),
            "factors": ", ".join(f"{factor.name} ({factor.size})" for factor in self.space.factors),
            "input_shape": list(self.input_shape),
        }


class OfficialDspritesDataset(Grid):
    """dSprites from the user's copy of ``dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz``.

    Parameters
    ----------
    path : Path
        The npz file. Only ``imgs``, ``latents_values`` and ``latents_classes`` are read, not ``metadata``, which is a
        pickle.
    space : FactorSpace, optional
        The grid of the file, which must contain every point once, in any order; smaller than that of dSprites for a
        reduced file.

    Raises
    ------
    CausalVAEError
        CV201 if there is no such file, CV202 if its layout differs.

    Notes
    -----
    The images have 3 GB unpacked and deflate has no random access, so the first call of `inputs` reads all of them, in
    chunks, into one bit per pixel, 377 MB, which remain in memory.
    """

    name = "dsprites"
    input_shape: tuple[int, ...] = (1, SIDE, SIDE)

    def __init__(self, path: Path, space: FactorSpace = SPACE) -> None:
        self.space = space
        self._file = OfficialFile(path, space)
        self._packed: npt.NDArray[np.uint8] | None = None

    def inputs(self, rows: Rows) -> Tensor:
        """Images at levels `rows`, (n, 5): float32, (n, 1, 64, 64).

        Raises
        ------
        CausalVAEError
            CV202 if the images are incomplete or not zeros and ones.
        """
        if self._packed is None:
            self._packed = self._file.read_packed()
        packed = self._packed[self._file.row_of[self.space.index_of(rows)]]
        return to_tensor(np.unpackbits(packed, axis=1).reshape(-1, SIDE, SIDE))

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """True values of geometric readouts; empty for another grid than that of dSprites."""
        return true_geometry(rows) if self.space == SPACE else {}

    def describe(self) -> dict[str, Any]:
        """Facts for a report, including the SHA-256 of the file."""
        with self._file.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "source": "dsprites",
            "origin": "official file",
            "file": self._file.path.name,
            "sha256": sha256,
            "images": len(self.space),
            "factors": ", ".join(f"{factor.name} ({factor.size})" for factor in self.space.factors),
            "input_shape": list(self.input_shape),
        }


def to_tensor(images: Images) -> Tensor:
    """Convert binary images, uint8, (n, height, width), to float32, (n, 1, height, width)."""
    import torch

    return torch.from_numpy(images).to(torch.float32).unsqueeze(1)


def open_dataset(section: DataSection, folder: Path) -> Dataset:
    """Open the data set of the ``data`` section of a spec.

    Parameters
    ----------
    section : DataSection
    folder : Path
        Folder of the spec file, where relative paths start.

    Raises
    ------
    CausalVAEError
        CV201 or CV202; see `OfficialDspritesDataset`. CV221; see `causalvae.data.scm.open_scm`. CV222 if there is no
        factor to condition on; see `causalvae.data.conditioned`. For data in files: CV230 if a file or folder is
        missing, CV231 if its layout is wrong, CV232 if a library is missing, CV233 if there is no space to unpack it,
        CV234 to CV236 for own data. CV237 for other errors.
    """
    with reading(section):
        dataset = open_source(section, folder)
        return ConditionedDataset(dataset, section.condition) if section.condition else dataset


def reading(section: DataSection) -> AbstractContextManager[None]:
    """Convert errors of libraries within the context to CV237."""
    named = ", ".join(section.files) or section.kind
    remedy = "Check the files that the data section names: they may be damaged, or of another kind than the source."
    return boundary("CV237", f"the data cannot be read from {named}", remedy, "data")


def open_source(section: DataSection, folder: Path) -> Dataset:
    """The data set of a section, without the condition."""
    dataset = section.open(folder)
    if isinstance(dataset, Reopened):
        dataset.reopened_by = (open_source, (section, folder.resolve()))
    return dataset
