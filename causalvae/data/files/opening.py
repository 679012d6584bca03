"""Opens what a data section says lies in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.files.labelled import Samples
    from causalvae.data.files.morphomnist import MorphoMnistDataset
    from causalvae.spec.data_section import FileSection


def open_files(section: FileSection, folder: Path) -> Samples | MorphoMnistDataset:
    """The data set of a section whose samples lie in files.

    Parameters
    ----------
    section : FileSection
    folder : Path
        Where relative paths start: the spec file's folder.

    Raises
    ------
    CausalVAEError
        CV230 where a file or folder is absent, CV231 where it is laid out otherwise, CV232 where a library is missing,
        CV233 where there is no room to unpack it, CV234 to CV236 for the user's own data.
    """
    dataset = _open(section, folder)
    # Elsewhere the files are opened anew: what is mapped from disk would be copied as a whole.
    dataset.reopened_by = (open_files, (section, folder.resolve()))
    return dataset


def _open(section: FileSection, folder: Path) -> Samples | MorphoMnistDataset:
    path = locate(folder, section.path)
    # Each format is imported when it is asked for: HDF5, MATLAB and images each load a library of their own.
    match section:
        case MorphoMnistData():
            from causalvae.data.files.morphomnist import MorphoMnistDataset

            return MorphoMnistDataset(path, section.part, section.size)
        case Shapes3dData():
            from causalvae.data.files.shapes3d import open_shapes3d

            return open_shapes3d(path)
        case Mpi3dData():
            from causalvae.data.files.mpi3d import open_mpi3d

            return open_mpi3d(path, section.variant)
        case SmallNorbData():
            from causalvae.data.files.smallnorb import open_smallnorb

            return open_smallnorb(path, section.part, section.camera, section.size)
        case Cars3dData():
            from causalvae.data.files.cars3d import open_cars3d

            return open_cars3d(path, section.size)
        case CelebaData():
            from causalvae.data.files.celeba import open_celeba

            return open_celeba(path, section.part, section.crop, section.size)
        case CsvData():
            from causalvae.data.files.own_table import open_csv

            return open_csv(section, path)
        case NpzData():
            from causalvae.data.files.own_arrays import open_npz

            return open_npz(section, path)
        case ImagesData():
            from causalvae.data.files.own_images import open_images

            table = None if section.table is None else locate(folder, section.table)
            return open_images(section, path, table)
