"""Which backend a spec names."""

from __future__ import annotations

from typing import Literal

from causalvae.engine.backends.backend import Backend
from causalvae.engine.backends.local import LocalBackend

BackendName = Literal["local", "ray"]


def open_backend(name: BackendName, address: str | None = None) -> Backend:
    """The backend that a spec's ``execution.backend`` names.

    Parameters
    ----------
    name : {"local", "ray"}
    address : str, optional
        Of a Ray cluster that is running already.

    Raises
    ------
    CausalVAEError
        CV407 where Ray is asked for and is not installed.
    """
    if name == "ray":
        from causalvae.engine.backends.ray import RayBackend

        return RayBackend(address)
    return LocalBackend()
