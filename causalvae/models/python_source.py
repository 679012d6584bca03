"""Opens the user's own network: calls their factory function and reads the result as a VAE."""

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
        The spec file's folder: modules in it can be imported, and paths of weights are relative to it.
    inputs : Tensor, shape (n, *input_shape)
        Samples of the data.
    condition : int
        Number of the last channels (columns) that hold a condition.

    Raises
    ------
    CausalVAEError
        CV117 if code is not allowed, CV118 if the factory is not found or fails; CV119, CV130 and CV140 to CV142 if its
        parts cannot be interpreted; CV101 to CV103 and CV125 to CV127 for its weights.
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
    """Call a user's factory; returns the network and a hash of the source files of both.

    Parameters
    ----------
    where : str
        module:function; modules in `folder` can be imported.
    arguments : dict
        Keyword arguments.
    folder : Path

    Raises
    ------
    CausalVAEError
        CV117 if code is not allowed, CV118 if the function is not found, fails or does not return a network.
    """
    refuse_code(where, "model.factory")
    factory = _find(where, folder)
    try:
        network: Any = factory(**arguments)
    except Exception as error:  # whatever the user's code raises
        remedy = "`arguments` gives the factory its keyword arguments" if isinstance(error, TypeError) else ""
        raise _failed(where, "failed", error, remedy) from error
    if not isinstance(network, nn.Module):
        raise CausalVAEError(
            "CV118",
            f"{where} gave a {type(network).__name__}, not a torch.nn.Module.",
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
    """Put `folder` first on the import path, as for a script in it.

    Modules imported from another spec's folder are removed from `sys.modules` first: two folders may each have a
    ``networks.py``. Installed packages stay, even if the environment is inside the folder, since libraries with
    compiled code cannot be imported twice.
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
    """Whether a file is in a folder but not in an environment inside it."""
    return file.is_relative_to(folder) and not _INSTALLED & set(file.relative_to(folder).parts)


def _failed(where: str, how: str, error: Exception, remedy: str = "") -> CausalVAEError:
    kind, reason = type(error).__name__, first_line(error)
    told = kind if reason == kind else f"{kind}: {reason}"
    return CausalVAEError(
        "CV118",
        f"{where} {how}: {told}",
        f"{remedy or 'Modules are searched in the folder of the spec file and among the installed packages'}; --debug "
        "shows the traceback.",
        "model.factory",
    )


def _source_of(factory: Any, network: nn.Module) -> str:
    """Hash of the source files of the factory and of the network's classes.

    Classes of torch are skipped. Functions that these files import from elsewhere are not followed.
    """
    kinds = dict.fromkeys(kind for module in network.modules() for kind in type(module).__mro__)
    own = [kind for kind in kinds if kind.__module__.partition(".")[0] not in ("torch", "builtins")]
    files = {path for written in (factory, *own) if (path := _file_of(written)) is not None}
    # Python files may have any encoding; latin-1 preserves their bytes.
    return digest(sorted(path.read_text(encoding="latin-1") for path in files))


def _file_of(written: Any) -> Path | None:
    try:
        path = inspect.getsourcefile(written)
    except (TypeError, OSError):
        # An instance or a built-in.
        return None
    return Path(path) if path is not None and Path(path).is_file() else None
