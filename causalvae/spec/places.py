"""Files, folders and modules that a spec names: their paths, and checks that they exist and can be read.

Nothing is opened or imported here except the header of shipped weights, so that validation is fast and never waits for
a pipe.
"""

from __future__ import annotations

import importlib.util
import json
import os
import stat
from functools import cache
from importlib import resources
from importlib.machinery import PathFinder
from pathlib import Path
from typing import ClassVar, Final, Literal

from causalvae.spec.diagnostics import Finding, list_choices, nearest, show_text
from causalvae.spec.diagnostics import Path as SpecPath

PlaceKind = Literal["file", "folder", "file or folder"]

BUILTIN: Final = "builtin://"


class Placed:
    """A section that names files or folders; a kind lists its keys in `PLACES`."""

    # Key that names what is read -> whether it is a file or a folder.
    PLACES: ClassVar[dict[str, PlaceKind]] = {}

    @property
    def places(self) -> dict[str, str]:
        """The paths by key, as the spec writes them; keys without a value are omitted."""
        named = {key: getattr(self, key) for key in self.PLACES}
        return {key: value for key, value in named.items() if value is not None}

    @property
    def files(self) -> tuple[str, ...]:
        """The paths without their keys."""
        return tuple(self.places.values())


def locate(folder: Path, where: str) -> Path:
    """The path `where`, relative to `folder`, with ``~`` expanded to the home folder."""
    return folder / Path(where).expanduser()


def base_folder(folder: Path, base: str | None) -> Path:
    """The folder where relative paths of a spec in `folder` start: `folder` itself, or its `base`."""
    return folder if base is None else locate(folder, base)


def builtin_names() -> tuple[str, ...]:
    """Names of the shipped weights, without ``builtin://``."""
    shipped = resources.files("causalvae") / "models" / "builtin"
    names = (item.name for item in shipped.iterdir()) if shipped.is_dir() else ()
    return tuple(sorted(name.removesuffix(".safetensors") for name in names if name.endswith(".safetensors")))


@cache
def builtin_latents(where: str) -> int | None:
    """Number of latents of the shipped weights ``builtin://NAME``, from their metadata; None for a path.

    The first eight bytes of a safetensors file are the length of the JSON that follows, little-endian.
    """
    name = where.removeprefix(BUILTIN)
    if not where.startswith(BUILTIN) or name not in builtin_names():
        return None
    with (resources.files("causalvae") / "models" / "builtin" / f"{name}.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return int(json.loads(header["__metadata__"]["training_spec"])["model"]["latent_dim"])


def check_builtin(where: str, path: SpecPath) -> list[Finding]:
    """A finding if `where` names unknown built-in weights; none for a path."""
    name, known = where.removeprefix(BUILTIN), builtin_names()
    if not where.startswith(BUILTIN) or name in known:
        return []
    meant = nearest(name, known)
    return [
        Finding(
            "CV018",
            path,
            f"there are no built-in weights {show_text(name)}",
            f"Built in: {list_choices([BUILTIN + other for other in known], 'and')}.",
            BUILTIN + meant if meant else "",
        )
    ]


def check_place(folder: Path, where: str, kind: PlaceKind, path: SpecPath) -> list[Finding]:
    """A finding if a path is missing, of the wrong kind or not readable.

    Parameters
    ----------
    folder : Path
        Relative paths start here.
    where : str
        The path as in the spec.
    kind : {"file", "folder", "file or folder"}
        The expected kind.
    path : tuple
        Path of the value in the spec.
    """
    if where.startswith(BUILTIN):
        return []
    try:
        full = locate(folder, where)
        mode = full.stat().st_mode
    except FileNotFoundError:
        return [_missing(folder, where, kind, path)]
    # A name too long, a null byte, a file in place of a parent folder, a home folder of an unknown user.
    except (OSError, ValueError, RuntimeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        said = f"{show_text(where, 60)} cannot be read: {reason.lower()}"
        return [Finding("CV018", path, said, "Name a path that exists.")]
    found = "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "device or pipe"
    if found not in kind.split(" or "):
        said = f"{show_text(where, 60)} is a {found}, and a {kind} is needed here"
        return [Finding("CV018", path, said, f"Name a {kind}.")]
    if not os.access(full, os.R_OK | (os.X_OK if found == "folder" else 0)):
        said = f"the {found} {show_text(where, 60)} cannot be read: permission denied"
        return [Finding("CV018", path, said, f"Give yourself permission to read it, or name another {found}.")]
    return []


def check_module(folder: Path, factory: str, path: SpecPath) -> list[Finding]:
    """A finding if the module of a factory is neither in the folder nor installed; imports nothing."""
    module = factory.partition(":")[0]
    top, *inner = module.split(".")
    try:
        found = PathFinder.find_spec(top, [str(folder.resolve())]) or importlib.util.find_spec(top)
    except ValueError:
        # An imported module without `__spec__`.
        return []
    places = None if found is None else found.submodule_search_locations
    # Submodules are searched for in the folders of the package, since importing would run it.
    for name in inner:
        found = PathFinder.find_spec(name, list(places)) if found is not None and places else None
        places = None if found is None else found.submodule_search_locations
    if found is not None:
        return []
    near = [item.stem for item in folder.glob("*.py")] if folder.is_dir() else []
    return [
        Finding(
            "CV018",
            path,
            f"there is no module {show_text(module)}",
            f"Modules are searched in the folder of the spec file ({folder.resolve()}) and among the installed "
            "packages.",
            nearest(module, near),
            part=module,
        )
    ]


def _missing(folder: Path, where: str, kind: PlaceKind, path: SpecPath) -> Finding:
    base = folder.resolve()
    advice = f"Relative paths start at {base}."
    if where.endswith(".safetensors"):
        advice += " Weights of `causalvae train` are there once it has run."
    full = locate(folder, where)
    meant = nearest(full.name, _names_in(full.parent, kind))
    near = str(Path(where).with_name(meant)) if meant else ""
    return Finding("CV018", path, f"there is no {kind} {show_text(where, 60)}", advice, near)


def _names_in(folder: Path, kind: PlaceKind) -> list[str]:
    """Names of the entries of a folder of the given kind; empty if it cannot be read."""
    try:
        with os.scandir(folder) as items:
            return [item.name for item in items if kind != ("file" if item.is_dir() else "folder")]
    except OSError:
        return []
