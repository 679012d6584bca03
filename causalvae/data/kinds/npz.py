"""Arrays of the user's own in an npz file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.diagnostics import Finding
from causalvae.spec.file_section import Column, FilePath, OwnData, Scale, scale_findings
from causalvae.spec.places import PlaceKind, locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


_USUAL_INPUTS = ("inputs", "images", "imgs", "x", "X", "data")


class NpzData(OwnData):
    """Arrays of your own in an npz file: inputs with one sample per row, and one array per factor."""

    kind: ClassVar[str] = "npz"
    recognised: ClassVar[str] = "an npz file"
    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "file"}

    source: Literal["npz"]
    path: FilePath = Field(description="The file, relative to the spec file; arrays of Python objects are not read.")
    inputs: Column = Field(default="inputs", description="Name of the array of inputs.")
    names: Column | None = Field(
        default=None,
        description="Name of the array with the names of the inputs' columns; by default the names are 0, 1, 2, ...",
    )
    layout: Literal["auto", "as_stored", "channels_last"] = Field(
        default="auto",
        description=(
            "as_stored: an input has the shape that it is stored with; channels_last: its last axis becomes its "
            "first; auto: images of two axes get a channel, except waves (a first axis of length 1 or 2, a second of "
            "64 or more); if the last axis of images has 1, 3 or 4 entries, it becomes the first."
        ),
    )
    scale: Scale = Field(
        default="found",
        description=(
            "found: bytes are divided by 255; for other numbers the smallest and largest value of the array become 0 "
            "and 1; [LOW, HIGH]: these values become 0 and 1; none: values are not changed."
        ),
    )

    @property
    def is_rescaled(self) -> bool:
        """Whether numbers are mapped to [0, 1] by a range that is found in them."""
        return self.scale == "found"

    def findings(self) -> list[Finding]:
        """A finding if the scale has no extent."""
        return scale_findings(self.scale)

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """An npz file: the inputs are the array of a usual name, or of the most axes; columns are factors."""
        if not path.is_file() or path.suffix != ".npz":
            return None
        import numpy as np

        with np.load(path, allow_pickle=False) as arrays:
            headers = {key: arrays[key] for key in arrays.files}
        numbers = [key for key, array in headers.items() if array.dtype.kind in "biuf"]
        texts = [key for key, array in headers.items() if array.dtype.kind == "U" and len(np.unique(array)) > 1]
        shapes = {key: headers[key].shape for key in headers if key in (*numbers, *texts)}
        if not numbers:
            return None
        usual = [key for key in _USUAL_INPUTS if key in numbers]
        inputs = usual[0] if usual else max(numbers, key=lambda key: len(shapes[key]))
        factors = [key for key, shape in shapes.items() if key != inputs and shape == shapes[inputs][:1]]
        return {"inputs": inputs} | cls.factors_of(factors)

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.own_arrays import open_npz

        return open_npz(self, locate(folder, self.path))
