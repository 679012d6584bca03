"""Kinds by name: one file per kind in this package, and entry points of other distributions.

A *kind* is a variant that a user names in YAML, such as the data source ``csv``. A registry knows the names from file
names and from the metadata of installed distributions. It imports a kind when a spec names it, so that validation does
not pay for the others.
"""

from __future__ import annotations

import pkgutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar, Final, Generic, TypeVar

OWN: Final = "causalvae"
_IN_USE: Final[set[str]] = set()
_ONLY_OWN: ContextVar[bool] = ContextVar("causalvae_only_own_kinds", default=False)


class Kind:
    """What every kind has.

    Attributes
    ----------
    kind : str
        The name that users write.
    must_define : tuple of str
        What the base class leaves to each kind.
    """

    kind: ClassVar[str]
    must_define: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring, for the command line and the docs."""
        return (cls.__doc__ or "").strip().partition("\n")[0]


K = TypeVar("K", bound=Kind)


@dataclass(frozen=True)
class Entry:
    """Where a kind is, known without importing it.

    Parameters
    ----------
    module : str
    attribute : str
        Name of the class in the module; empty where it is the module's only class with the kind's name.
    origin : str
        The distribution.
    """

    module: str
    attribute: str
    origin: str


class BrokenKind(Exception):  # noqa: N818 - it says what is broken
    """A kind that an installed distribution declares and that cannot be used."""


@contextmanager
def only_own_kinds() -> Iterator[None]:
    """Within it, registries list no kinds of other distributions."""
    token = _ONLY_OWN.set(True)
    try:
        yield
    finally:
        _ONLY_OWN.reset(token)


def distributions_in_use() -> tuple[str, ...]:
    """Other distributions whose kinds this process has imported: another process that continues its work needs them."""
    return tuple(sorted(_IN_USE - {OWN}))


@cache
def _installed() -> Any:
    # One scan serves all groups: a call with `group=` reads the metadata of every distribution each time. What it gives
    # has another type on Python 3.11, with the same `select`.
    return entry_points()


class Registry(Generic[K]):
    """The kinds of one family.

    Parameters
    ----------
    base : type
        What each kind derives from.
    package : str
        Each of its modules defines the kind that the file is named after; files that begin with ``_`` are shared code.
    group : str
        Entry points of other distributions: ``name = "module:Class"``.
    noun : str
        What messages call a kind of the family.

    Examples
    --------
    >>> from causalvae.spec.readout_section import READOUTS
    >>> READOUTS.get("area").kind
    'area'
    """

    def __init__(self, base: type[K], package: str, group: str, noun: str) -> None:
        self.base, self.package, self.group, self.noun = base, package, group, noun
        # Names that mean something else where a spec names these kinds.
        self.taken: frozenset[str] = frozenset()
        self._loaded: dict[str, type[K]] = {}

    @cached_property
    def entries(self) -> dict[str, tuple[Entry, ...]]:
        """Where each kind is, by name, those of this package first; several where distributions clash."""
        folder = import_module(self.package).__path__
        names = sorted(item.name for item in pkgutil.iter_modules(folder) if not item.name.startswith("_"))
        found: dict[str, tuple[Entry, ...]] = {name: (Entry(f"{self.package}.{name}", "", OWN),) for name in names}
        for point in sorted(_installed().select(group=self.group), key=lambda point: point.name):
            entry = Entry(point.module, point.attr, point.dist.name if point.dist is not None else "unknown")
            found[point.name] = (*found.get(point.name, ()), entry)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """All names. Imports no kind."""
        return tuple(name for name, found in self.entries.items() if found[0].origin == OWN or not _ONLY_OWN.get())

    @property
    def own(self) -> tuple[str, ...]:
        """The names of this package's kinds. Imports no kind."""
        return tuple(name for name, entries in self.entries.items() if entries[0].origin == OWN)

    def get(self, name: str) -> type[K]:
        """The class of a kind, imported on first use.

        Raises
        ------
        KeyError
            Where no kind has this name.
        BrokenKind
            Where the kind cannot be imported or does not keep to its family's contract, or two distributions define it.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name, self.entries[name])
            _IN_USE.add(self.entries[name][0].origin)
        return self._loaded[name]

    def find(self, name: object) -> type[K] | None:
        """The class of a kind; None where no kind has this name, or it is broken."""
        try:
            return self.get(name) if isinstance(name, str) and name in self.entries else None
        except BrokenKind:
            return None

    def usable(self) -> list[type[K]]:
        """All classes, with a warning for each broken one. Imports all kinds: for the JSON Schema, docs and advice."""
        kinds = []
        for name in self.names:
            try:
                kinds.append(self.get(name))
            except BrokenKind as error:
                warnings.warn(str(error), stacklevel=2)
        return kinds

    def _load(self, name: str, entries: tuple[Entry, ...]) -> type[K]:
        what = f"the {self.noun} '{name}'"
        if len(entries) > 1:
            raise BrokenKind(f"{what} is defined by {' and by '.join(entry.origin for entry in entries)}")
        (entry,) = entries
        if name in self.taken:
            raise BrokenKind(f"{what} of {entry.origin} cannot be used: every spec has a key of that name")
        try:
            module = import_module(entry.module)
            found = [getattr(module, entry.attribute)] if entry.attribute else list(vars(module).values())
        # Whatever the module of another distribution raises, the fault is that distribution's.
        except Exception as error:
            raise BrokenKind(f"{what} of {entry.origin} cannot be imported: {error}") from error
        kinds = [
            item
            for item in found
            if isinstance(item, type) and issubclass(item, self.base) and vars(item).get("kind") == name
        ]
        if len(kinds) != 1:
            wanted = f"{entry.module} must define one {self.base.__name__} with kind = '{name}'"
            raise BrokenKind(f"{what} of {entry.origin} cannot be used: {wanted}")
        # The nearest base class says what is left to the kind: of a penalty other methods than of other objectives.
        bases: Iterator[type[Kind]] = (base for base in kinds[0].__mro__[1:] if issubclass(base, Kind))
        asking = next(base for base in bases if "must_define" in vars(base))
        missing = [key for key in asking.must_define if getattr(kinds[0], key) is getattr(asking, key)]
        if missing:
            raise BrokenKind(f"{what} of {entry.origin} cannot be used: it does not define {', '.join(missing)}")
        return kinds[0]
