"""The spec's data section: where samples come from. Every source has a class here, told apart by `source`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from causalvae.spec.draw_section import DrawSection
from causalvae.spec.file_section import (
    Cars3dData,
    CelebaData,
    CsvData,
    ImagesData,
    MorphoMnistData,
    Mpi3dData,
    NpzData,
    Shapes3dData,
    SmallNorbData,
)
from causalvae.spec.perturbations import PerturbationsData
from causalvae.spec.places import PlaceKind
from causalvae.spec.scm_section import PendulumData, ScmData
from causalvae.spec.system_section import IsingData, MixturesData

__all__ = ["DATA_SOURCES", "DataSection", "DrawSection", "DspritesData", "FileSection", "PendulumData", "ScmData"]


class DspritesData(DrawSection):
    """dSprites: drawn by this package, or read from the official npz or hdf5 where `path` names it."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "file"}

    source: Literal["dsprites"]
    path: str | None = Field(default=None, description="The official npz or hdf5, relative to the spec file.")


FileSection = (
    MorphoMnistData
    | Shapes3dData
    | Mpi3dData
    | SmallNorbData
    | Cars3dData
    | CelebaData
    | CsvData
    | NpzData
    | ImagesData
)

DataSection = Annotated[
    DspritesData | ScmData | PendulumData | PerturbationsData | IsingData | MixturesData | FileSection,
    Field(discriminator="source"),
]

DATA_SOURCES: Final[dict[str, type[DrawSection]]] = {
    "dsprites": DspritesData,
    "scm": ScmData,
    "pendulum": PendulumData,
    "perturbations": PerturbationsData,
    "ising": IsingData,
    "mixtures": MixturesData,
    "morphomnist": MorphoMnistData,
    "shapes3d": Shapes3dData,
    "mpi3d": Mpi3dData,
    "smallnorb": SmallNorbData,
    "cars3d": Cars3dData,
    "celeba": CelebaData,
    "csv": CsvData,
    "npz": NpzData,
    "images": ImagesData,
}
