"""The device of training."""

from __future__ import annotations

import torch

from causalvae.errors import CausalVAEError


def choose_device(name: str) -> torch.device:
    """The device for ``execution.device``; ``auto`` is a GPU if there is one.

    Raises
    ------
    CausalVAEError
        CV423 if `name` is ``cuda`` and there is no GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise CausalVAEError(
            "CV423", "there is no CUDA device here.", "Set execution.device to cpu or auto.", "execution.device"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
