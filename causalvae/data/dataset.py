"""One interface behind which every labelled data set stands, and dSprites behind it: drawn, or read from its file."""

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
    """Inputs, what is known of how they came about, and what they become where a factor is set.

    A sample is a row: whatever its data set needs to make it again. Nobody but the data set reads rows.

    Attributes
    ----------
    name : str
    space : FactorSpace
        The factors and their levels; none where the data has no labels.
    input_shape : tuple of int
        Shape of one input, without the batch axis.
    size : int or None
        Number of different samples; None where there is no end of them.
    """

    @property
    def name(self) -> str:
        """The data set's name."""
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
        """Number of different samples; None where there is no end of them."""
        ...

    @property
    def columns(self) -> Columns | None:
        """The inputs' columns; None where inputs are no rows of a table whose columns have names or were scaled."""
        ...

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """`n` independent samples, with repeats where the data are finite: an array of shape (n, width).

        For training. Everything that is estimated or tested draws with `causalvae.data.pairs`, without repeats.
        """
        ...

    def values(self, rows: Rows) -> FloatArray:
        """Physical values of the factors of samples: float array, shape (n, n_factors)."""
        ...

    def inputs(self, rows: Rows) -> Tensor:
        """The inputs of samples: float32 tensor of shape (n, *input_shape)."""
        ...

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """The same samples under do(`factor` = `values`), which has shape (n,).

        Parameters
        ----------
        rows : array, shape (n, width)
        factor : str
        values : float array, shape (n,)
        others : "hold", "propagate" or Release
            ``propagate`` recomputes the factor's descendants in the data's structural model with each sample's own
            noise, ``hold`` keeps them, and `Release` recomputes only those that it names. Where factors do not make
            one another all give the same.

        Raises
        ------
        CausalVAEError
            CV206 where the data cannot tell what a sample would have been.
        """
        ...

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """What readouts of the samples' inputs should find, each of shape (n,); nan where undefined.

        By the readout's name, such as ``area`` or ``centroid x``; see `causalvae.data.dsprites.true_geometry`. Empty
        for data of which nothing of the kind is known.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Facts for a report: name -> text or number."""
        ...


class FiniteDataset(Dataset, Protocol):
    """A data set whose samples can be counted: they have numbers from 0 to size - 1."""

    def rows_at(self, numbers: IntArray) -> Rows:
        """The samples with these numbers: array of shape (n, width)."""
        ...

    def numbers_of(self, rows: Rows) -> IntArray:
        """Which samples rows are made from: int array, shape (n,).

        A row that `intervene` gave has the number of the sample that it is, or else of the sample that was changed.
        """
        ...

    def files_of(self, numbers: IntArray) -> tuple[str, ...]:
        """The file of each of these samples; empty where samples have no files of their own."""
        ...


def as_finite(dataset: Dataset) -> FiniteDataset | None:
    """`dataset` where its samples can be counted, else None."""
    return None if dataset.size is None else cast(FiniteDataset, dataset)


class DspritesDataset(Grid):
    """dSprites as this package draws it; see `causalvae.data.dsprites` for how close that is to the original."""

    name = "dsprites"
    space: FactorSpace = SPACE
    input_shape: tuple[int, ...] = (1, SIDE, SIDE)

    def inputs(self, rows: Rows) -> Tensor:
        """The sprites at levels `rows`, shape (n, 5): float32 tensor of zeros and ones, shape (n, 1, 64, 64)."""
        return to_tensor(render_levels(rows))

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """What geometric readouts of the sprites should find; see `true_geometry`."""
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
        The npz file. Only its members ``imgs``, ``latents_values`` and ``latents_classes`` are read; ``metadata`` is a
        pickle and is left alone.
    space : FactorSpace, optional
        The grid that the file must hold, every point once, in any order. A smaller grid than dSprites' own lets a
        thinned file be read; the labels are checked against it either way.

    Raises
    ------
    CausalVAEError
        CV201 where there is no such file, CV202 where its layout differs.

    Notes
    -----
    The images are 3 GB unpacked and deflate has no random access, so the first call of `inputs` streams them once, a
    few MB at a time, into one bit a pixel: 377 MB that stay in memory for as long as the object lives.
    """

    name = "dsprites"
    input_shape: tuple[int, ...] = (1, SIDE, SIDE)

    def __init__(self, path: Path, space: FactorSpace = SPACE) -> None:
        self.space = space
        self._file = OfficialFile(path, space)
        self._packed: npt.NDArray[np.uint8] | None = None

    def inputs(self, rows: Rows) -> Tensor:
        """The file's images at levels `rows`, shape (n, 5): float32 tensor, shape (n, 1, 64, 64).

        Raises
        ------
        CausalVAEError
            CV202 where the images turn out to be cut short or not to be zeros and ones.
        """
        if self._packed is None:
            self._packed = self._file.read_packed()
        packed = self._packed[self._file.row_of[self.space.index_of(rows)]]
        return to_tensor(np.unpackbits(packed, axis=1).reshape(-1, SIDE, SIDE))

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """What geometric readouts of the sprites should find; empty for another grid than dSprites' own."""
        return true_geometry(rows) if self.space == SPACE else {}

    def describe(self) -> dict[str, Any]:
        """Facts for a report, with the SHA-256 of the file."""
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
    """Binary images, uint8 of shape (n, height, width), as a float32 tensor of shape (n, 1, height, width)."""
    import torch

    return torch.from_numpy(images).to(torch.float32).unsqueeze(1)


def open_dataset(section: DataSection, folder: Path) -> Dataset:
    """The data set that a spec's ``data`` section names.

    Parameters
    ----------
    section : DataSection
        The section.
    folder : Path
        Where a relative ``path`` starts: the spec file's folder.

    Raises
    ------
    CausalVAEError
        CV201 or CV202; see `OfficialDspritesDataset`. CV221; see `causalvae.data.scm.open_scm`. CV222 where there is
        no factor to condition on; see `causalvae.data.conditioned`. Of data in files CV230 where a file or folder is
        absent, CV231 where it is laid out otherwise, CV232 where a library is missing, CV233 where there is no room to
        unpack it, CV234 to CV236 for the user's own data. CV237 for what none of them foresees.
    """
    with reading(section):
        dataset = open_source(section, folder)
        return ConditionedDataset(dataset, section.condition) if section.condition else dataset


def reading(section: DataSection) -> AbstractContextManager[None]:
    """Within it, whatever a library raises about the data's files becomes CV237."""
    named = ", ".join(section.files) or section.kind
    remedy = "Check the files that the data section names: they may be damaged, or of another kind than the source."
    return boundary("CV237", f"the data cannot be read from {named}", remedy, "data")


def open_source(section: DataSection, folder: Path) -> Dataset:
    """The data set of a section, as its source gives it."""
    dataset = section.open(folder)
    if isinstance(dataset, Reopened):
        dataset.reopened_by = (open_source, (section, folder.resolve()))
    return dataset
