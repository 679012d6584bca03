"""The user's own network: made by a function of theirs, and read as a VAE as the spec declares."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from causalvae.digest import digest
from causalvae.errors import CausalVAEError, first_line
from causalvae.models.opened import Opened
from causalvae.models.own_network import read_own
from causalvae.models.weights import load_into, read_weights, without_prefix
from causalvae.trust import refuse_code

if TYPE_CHECKING:
    from causalvae.models.kinds.python import PythonModel


def open_python_model(section: PythonModel, folder: Path, inputs: Tensor, condition: int = 0) -> Opened:
    """Make the network of a ``source: python`` section.

    Parameters
    ----------
    section : PythonModel
    folder : Path
        The spec file's folder: modules beside it are found, and relative weights start there.
    inputs : Tensor, shape (n, *input_shape)
        Samples of the data.
    condition : int
        How many of their last channels (columns) are a condition.

    Raises
    ------
    CausalVAEError
        CV117 where code is not allowed, CV118 where the factory cannot be found or fails; CV119, CV130 and CV140 to
        CV142 where its parts cannot be read; CV101 to CV103 and CV125 to CV127 for its weights.
    """
    network, source = make_network(section.factory, section.arguments, folder)
    facts: dict[str, Any] = {"weights": section.weights or "as the factory gives them"}
    if section.weights is not None:
        weights = read_weights(section.weights, folder, section.key)
        weights = without_prefix(weights, network.state_dict(), section.prefix, section.ignore)
        load_into(network, weights)
        facts |= weights.facts
    read = read_own(network, section, inputs, condition)
    return replace(read, identity=digest([read.identity, source]), facts={**facts, **read.facts})


def make_network(where: str, arguments: dict[str, Any], folder: Path) -> tuple[nn.Module, str]:
    """Call a user's function: the network that it gives, and a hash of the files that both are written in.

    Parameters
    ----------
    where : str
        module:function; modules in `folder` are found as well.
    arguments : dict
        Keyword arguments.
    folder : Path

    Raises
    ------
    CausalVAEError
        CV117 where code is not allowed, CV118 where the function cannot be found, fails or gives no network.
    """
    refuse_code(where, "model.factory")
    factory = _find(where, folder)
    try:
        network: Any = factory(**arguments)
    except Exception as error:  # whatever the user's code raises
        raise _failed(where, "failed", error) from error
    if not isinstance(network, nn.Module):
        raise CausalVAEError(
            "CV118",
            f"{where} gave a {type(network).__name__} and no torch.nn.Module.",
            "Let the factory give the network, not its weights or a configuration.",
            "model.factory",
        )
    return network, _source_of(factory, network)


def _find(where: str, folder: Path) -> Any:
    module_name, _, name = where.partition(":")
    try:
        with _importable(folder):
            module = importlib.import_module(module_name)
    except Exception as error:  # an import runs the module, which may raise anything
        raise _failed(where, "cannot be imported", error) from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise CausalVAEError(
            "CV118",
            f"{module_name} ({getattr(module, '__file__', 'built in')}) has no {name}.",
            "Write model.factory as module:function.",
            "model.factory",
        ) from None


_PACKAGE = __name__.partition(".")[0]
_INSTALLED = {"site-packages", "dist-packages"}
# Name of a module that a factory's import loaded -> the folder that it was imported for.
_LOADED: dict[str, str] = {}


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Find modules in `folder` as well, before all others, as a script there would.

    Modules that were imported from another spec's folder are forgotten first: two folders may each have their own
    ``networks.py``. What is installed stays, also where the environment lies in the folder: libraries with compiled
    code cannot be imported twice.
    """
    place = str(folder.resolve())
    for name in [name for name, home in _LOADED.items() if home != place]:
        sys.modules.pop(name, None)
        del _LOADED[name]
    before = set(sys.modules)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and _is_of(Path(file).resolve(), place) and name.partition(".")[0] != _PACKAGE:
                _LOADED[name] = place


def _is_of(file: Path, folder: str) -> bool:
    """Whether a file lies in a folder, and in no environment inside it."""
    return file.is_relative_to(folder) and not _INSTALLED & set(file.relative_to(folder).parts)


def _failed(where: str, how: str, error: Exception) -> CausalVAEError:
    kind, reason = type(error).__name__, first_line(error)
    told = kind if reason == kind else f"{kind}: {reason}"
    return CausalVAEError(
        "CV118",
        f"{where} {how}: {told}",
        "Modules are looked for beside the spec file and among what is installed; --debug shows the traceback.",
        "model.factory",
    )


def _source_of(factory: Any, network: nn.Module) -> str:
    """Hash of the files that the factory and the network's classes are written in: changed code is another network.

    torch's own classes are left out. Functions that these files import from elsewhere are not followed.
    """
    kinds = dict.fromkeys(kind for module in network.modules() for kind in type(module).__mro__)
    own = [kind for kind in kinds if kind.__module__.partition(".")[0] not in ("torch", "builtins")]
    files = {path for written in (factory, *own) if (path := _file_of(written)) is not None}
    # Python files may have another encoding, and their bytes are all that counts here.
    return digest(sorted(path.read_text(encoding="latin-1") for path in files))


def _file_of(written: Any) -> Path | None:
    try:
        path = inspect.getsourcefile(written)
    except (TypeError, OSError):
        # Made by an instance, or built in.
        return None
    return Path(path) if path is not None and Path(path).is_file() else None
