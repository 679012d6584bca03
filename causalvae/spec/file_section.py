"""The data sections of what lies in files: official data sets, and the user's own tables, arrays and images."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.draw_section import DrawSection
from causalvae.spec.places import PlaceKind
from causalvae.spec.section import Flag, Name, Number, Section

FilePath = Annotated[str, Field(min_length=1, max_length=1000)]
Side = Annotated[int, Field(strict=True, ge=8, le=512)]
Column = Annotated[str, Field(min_length=1, max_length=200)]


class OneFile(DrawSection):
    """Data that lies in one file."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "file"}

    path: FilePath = Field(description="The file, relative to the spec file.")


class OneFolder(DrawSection):
    """Data that lies in the files of one folder."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "folder"}

    path: FilePath = Field(description="The folder with the files, relative to the spec file.")


class MorphoMnistData(OneFolder):
    """MorphoMNIST: digits whose thickness causes their intensity (Pawlowski et al. 2020), from its IDX files."""

    source: Literal["morphomnist"]
    part: Literal["train", "t10k"] = Field(default="train", description="60,000 or 10,000 images.")
    size: Literal[28, 32] = Field(default=28, description="Pixels a side; 32 has a dark rim of 2 pixels.")


class Shapes3dData(OneFile):
    """3D Shapes (Burgess and Kim 2018): 480,000 images 64 x 64 in RGB, the full grid of six factors; 3dshapes.h5."""

    source: Literal["shapes3d"]


class Mpi3dData(OneFile):
    """MPI3D (Gondal et al. 2019): a robot's arm, 64 x 64 in RGB, the full grid of seven factors; its npz."""

    source: Literal["mpi3d"]
    variant: Literal["toy", "realistic", "real", "complex"] = Field(
        default="toy", description="toy, realistic, real: 1,036,800 images; complex: 460,800 of real-world objects."
    )


class SmallNorbData(OneFolder):
    """Small NORB (LeCun et al. 2004): toys from many sides, the full grid of five factors; its dat, cat and info."""

    source: Literal["smallnorb"]
    part: Literal["both", "training", "testing"] = Field(
        default="both", description="Each part has five of the ten instances of every category."
    )
    camera: Literal["left", "right"] = "left"
    size: Annotated[int, Field(strict=True, ge=8, le=96)] = Field(
        default=64, description="Pixels a side, made from 96 by averaging."
    )


class Cars3dData(OneFolder):
    """Cars3D (Reed et al. 2015): 183 cars from 24 sides and 4 heights; its folder of .mat files."""

    source: Literal["cars3d"]
    size: Annotated[int, Field(strict=True, ge=8, le=128)] = Field(
        default=64, description="Pixels a side, made from 128 by averaging."
    )


class CelebaData(OneFolder):
    """CelebA (Liu et al. 2015): aligned faces with 40 attributes, which are observed and cannot be set."""

    source: Literal["celeba"]
    part: Literal["all", "train", "valid", "test"] = Field(default="all", description="By list_eval_partition.")
    crop: Annotated[int, Field(strict=True, ge=8, le=178)] = Field(
        default=178, description="Side of the square that is cut from the middle of the 178 x 218 pixels."
    )
    size: Side = Field(default=64, description="Pixels a side of what becomes of it.")


class FactorColumn(Section):
    """Where a factor of the user's own data is, and how it is read."""

    column: Column | None = Field(default=None, description="Column or array; the factor's own name where left out.")
    kind: Literal["categorical", "ordinal", "cyclic", "continuous"] | None = Field(
        default=None,
        description=(
            "categorical where it is text, ordinal where it has at most 50 different whole numbers or each "
            "combination of the factors is there once, continuous otherwise, where left out. A categorical factor "
            "is read as text: 01 and 1 are two levels."
        ),
    )
    period: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="cyclic: after how much it means the same again; 2 pi where left out."
    )


class OwnData(DrawSection):
    """The user's own samples, with or without factors.

    Where each combination of the factors' levels is there exactly once, a factor can be set: the sample with the other
    level is looked up. Otherwise factors are observed only.
    """

    factors: dict[Name, FactorColumn] = Field(
        default={}, max_length=100, description="A list of names, or a mapping with column and kind; may be left out."
    )

    @field_validator("factors", mode="before")
    @classmethod
    def _list_of_names(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            for index, name in enumerate(value):
                if not isinstance(name, str):
                    raise PydanticCustomError("factor_name", "a list of factors holds names only", {"at": index})
            return {name: {} for name in value}
        return value

    def column_of(self, factor: str) -> str:
        """The column or array that holds a factor."""
        return self.factors[factor].column or factor


Scale = Literal["found", "none"] | tuple[Number, Number]
Separator = Annotated[str, Field(min_length=1, max_length=1)]


class TableFormat(Section):
    """How a table in a text file is written."""

    separator: Separator = Field(default=",", description="What stands between a line's entries, such as ; or a tab.")
    decimal: Literal[".", ","] = Field(default=".", description="What stands between a number and its decimals.")


class CsvData(OwnData, TableFormat):
    """A table of the user's own: one sample a row, inputs and factors in columns with names."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "file"}

    source: Literal["csv"]
    path: FilePath = Field(description="The file, relative to the spec file; a first line names the columns.")
    inputs: tuple[Column, ...] = Field(
        default=("*",),
        min_length=1,
        description="Names of columns, or patterns such as `gene_*`; columns of factors are left out of patterns.",
    )
    scale: Scale = Field(
        default="found",
        description=(
            "found: each column's least and greatest value become 0 and 1; [LOW, HIGH]: these do, in all columns; "
            "none: as they are."
        ),
    )


class NpzData(OwnData):
    """Arrays of the user's own in an npz file: inputs with one sample a row, and one array a factor."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "file"}

    source: Literal["npz"]
    path: FilePath = Field(description="The file, relative to the spec file; arrays of Python objects are not read.")
    inputs: Column = Field(default="inputs", description="Name of the array of inputs.")
    names: Column | None = Field(
        default=None,
        description="Name of the array with the names of the inputs' columns; 0, 1, 2, ... where left out.",
    )
    layout: Literal["auto", "as_stored", "channels_last"] = Field(
        default="auto",
        description=(
            "as_stored: an input has the shape that it is stored with; channels_last: its last axis becomes its "
            "first; auto: images of two axes get a channel, images of 1, 3 or 4 channels in the last axis are turned."
        ),
    )
    scale: Scale = Field(
        default="found",
        description=(
            "found: bytes are divided by 255, of other numbers the least and greatest of the array become 0 and 1; "
            "[LOW, HIGH]: these do; none: as they are."
        ),
    )


class ImagesData(OwnData, TableFormat):
    """A folder of the user's own images, and a table of their factors."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "folder", "table": "file"}

    source: Literal["images"]
    path: FilePath = Field(
        description="The folder with png, jpg, tif, bmp, gif or webp files, relative to the spec file."
    )
    table: FilePath | None = Field(
        default=None, description="A csv file, relative to the spec file, with the images' names and their factors."
    )
    file_column: Column = Field(default="file", description="The table's column of file names.")
    size: Side = Field(default=64, description="Pixels a side: the middle square of each image, scaled.")
    colour: Flag = Field(default=True, description="Three channels; one, the luminance, where false.")
    background: Literal["white", "black"] = Field(default="white", description="What transparent pixels are laid on.")
    scale: tuple[Number, Number] | None = Field(
        default=None,
        description=(
            "[LOW, HIGH]: the values that become 0 and 1. Left out: black and white of the file's type, 0 and 255 "
            "for 8 bits, 0 and 65535 for 16, 0 and 1 for floats."
        ),
    )
