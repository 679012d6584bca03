"""dSprites, drawn by this package or read from the official file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.data_section import DataSection
from causalvae.spec.entries import DataEntry, FactorEntry
from causalvae.spec.places import PlaceKind, locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class DspritesData(DataSection):
    """dSprites: drawn by this package, or read from the official npz or hdf5 where `path` names it."""

    kind: ClassVar[str] = "dsprites"
    recognised: ClassVar[str] = "the npz of dSprites"
    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "file"}

    source: Literal["dsprites"]
    path: str | None = Field(default=None, description="The official npz or hdf5, relative to the spec file.")

    def facts(self) -> DataEntry:
        """Properties known before the data are opened."""
        return DataEntry(
            (
                FactorEntry("shape", "categorical", 3, 1.0, 3.0, ("square", "ellipse", "heart")),
                FactorEntry("scale", "ordinal", 6, 0.5, 1.0),
                FactorEntry("orientation", "cyclic", 40, 0.0, 2 * math.pi),
                FactorEntry("x", "ordinal", 32, 0.0, 1.0),
                FactorEntry("y", "ordinal", 32, 0.0, 1.0),
            ),
            input_shape=(1, 64, 64),
        )

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """The official npz, by the names of its arrays."""
        if not path.is_file() or path.suffix != ".npz":
            return None
        import zipfile

        names = set(zipfile.ZipFile(path).namelist()) if zipfile.is_zipfile(path) else set()
        return {} if {"imgs.npy", "latents_classes.npy"} <= names else None

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.dataset import DspritesDataset, OfficialDspritesDataset

        return DspritesDataset() if self.path is None else OfficialDspritesDataset(locate(folder, self.path))
