"""A folder of the user's own sounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.entries import DataEntry
from causalvae.spec.file_section import FilePath, LabelledFiles
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class SoundsData(LabelledFiles):
    """A folder of sounds of your own in wav files, and a table of their factors."""

    kind: ClassVar[str] = "sounds"
    recognised: ClassVar[str] = "a folder of wav files"

    source: Literal["sounds"]
    path: FilePath = Field(description="The folder with wav files, relative to the spec file.")
    length: Annotated[int, Field(strict=True, ge=16, le=1_000_000)] = Field(
        description="Samples of a sound: the first ones of a longer file; silence follows a shorter one."
    )
    rate: Annotated[int, Field(strict=True, ge=100, le=1_000_000)] = Field(
        description="Samples a second: files of another rate are resampled."
    )

    def input_facts(self) -> DataEntry:
        """The shape and the rate of sounds; only the table tells the factors."""
        return DataEntry(None, input_shape=(1, self.length), rate=float(self.rate))

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """A folder with wav files: the length and the rate are those of the first."""
        if not path.is_dir():
            return None
        from causalvae.data.files.sound_file import is_sound, read_sound

        first = min((item for item in path.iterdir() if is_sound(item)), default=None)
        if first is None:
            return None
        wave, rate = read_sound(first)
        return {"length": max(16, min(len(wave), 1_000_000)), "rate": rate}

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.own_sounds import open_sounds

        table = None if self.table is None else locate(folder, self.table)
        return open_sounds(self, locate(folder, self.path), table)
