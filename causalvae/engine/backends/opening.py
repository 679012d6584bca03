"""Opens the backend of a spec."""

from __future__ import annotations

from typing import Literal

from causalvae.engine.backends.backend import Backend
from causalvae.engine.backends.local import LocalBackend

BackendName = Literal["local", "ray"]


def open_backend(name: BackendName, address: str | None = None) -> Backend:
    """The backend for ``execution.backend``.

    Parameters
    ----------
    name : {"local", "ray"}
    address : str, optional
        Address of a running Ray cluster.

    Raises
    ------
    CausalVAEError
        CV407 if `name` is ``ray`` and Ray is not installed.
    """
    if name == "ray":
        from causalvae.engine.backends.ray import RayBackend

        return RayBackend(address)
    return LocalBackend()
