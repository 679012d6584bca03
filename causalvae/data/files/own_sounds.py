"""Own folders of sounds, and tables of their factors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from causalvae.data.factors import IntArray
from causalvae.data.files.labelled import Samples
from causalvae.data.files.own_factors import open_own
from causalvae.data.files.own_files import list_samples
from causalvae.data.files.sound_file import FORMATS, check_sound, fit_sound, read_sound
from causalvae.spec.columns import Columns

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.data.kinds.sounds import SoundsData


class SoundFiles:
    """Sounds with one file each as inputs, read on demand.

    Parameters
    ----------
    paths : list of Path
        The file of each sample.
    rate, length : int
        Samples a second, and samples of an input.
    """

    columns: Columns | None = None

    def __init__(self, paths: list[Path], rate: int, length: int) -> None:
        self._paths, self._rate, self._length = paths, rate, length

    @property
    def input_shape(self) -> tuple[int, ...]:
        """One channel, and its samples."""
        return 1, self._length

    def read(self, numbers: IntArray) -> Tensor:
        """Sounds with these numbers in [0, 1], float32, (n, 1, length); see `fit_sound`."""
        import torch

        found = np.empty((len(numbers), *self.input_shape), dtype=np.float32)
        for position, number in enumerate(numbers):
            wave, rate = read_sound(self._paths[number])
            found[position, 0] = fit_sound(wave, rate, self._rate, self._length)
        return torch.from_numpy(found)


def open_sounds(section: SoundsData, folder: Path, table: Path | None) -> Samples:
    """Open own sounds: those in the table, or all of the folder, sorted by name.

    Raises
    ------
    CausalVAEError
        Those of `list_samples` and `open_own`; CV235 for sounds that cannot be read.
    """
    names, columns = list_samples(section, folder, table, FORMATS, check_sound)
    paths = [folder / name for name in names]
    read_sound(paths[0])
    facts = {"origin": "the user's sounds", "folder": folder.name, "rate": f"{section.rate} Hz"}
    source = SoundFiles(paths, section.rate, section.length)
    samples = open_own(section.kind, columns, section.factors, source, len(names), facts, table or folder)
    samples.files = names
    return samples
