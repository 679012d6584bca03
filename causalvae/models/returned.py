"""The tensors in the return value of a part of a network, and the path of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

from causalvae.models.vae import PosteriorSecond

Steps = tuple[int | str, ...]

_DEEPEST = 4
# Names of posterior parameters, without punctuation.
_MEANS = ("mean", "means", "mu", "mus", "loc", "zmean", "zmu", "qzm", "qm", "latentmean", "latentmu", "posteriormean")
_SECONDS: tuple[tuple[str, PosteriorSecond], ...] = (
    (r"log_?(var|variance|sigma2|sigma_?sq|sigma_?squared|v)$", "logvar"),
    (r"(^|_)lv$", "logvar"),
    (r"log_?(std|sd|sigma|scale|stddev)$", "log_std"),
    (r"(std|sd|sigma|scale|stddev)$", "std"),
    (r"(var|variance|sigma2|covariance)$", "var"),
)


@dataclass(frozen=True)
class Leaf:
    """One tensor in a returned value.

    Parameters
    ----------
    steps : tuple of int or str
        Positions, keys and attributes that lead to it; empty if the value is the tensor itself.
    value : Tensor
    """

    steps: Steps
    value: Tensor

    @property
    def name(self) -> str:
        """The last key or attribute; empty if the tensor has only positions."""
        return next((step for step in reversed(self.steps) if isinstance(step, str)), "") if self.steps else ""

    @property
    def is_mean(self) -> bool:
        """Whether its name is that of a mean."""
        return re.sub(r"[^a-z0-9]", "", self.name.lower()) in _MEANS

    @property
    def second(self) -> PosteriorSecond | None:
        """The kind of second parameter that its name denotes; None for other names."""
        name = self.name.lower()
        return next((kind for pattern, kind in _SECONDS if re.search(pattern, name)), None)


def leaves_of(value: Any) -> list[Leaf]:
    """All tensors in a value: a tensor, a distribution, or a nested tuple, mapping or object.

    A distribution has two: its mean and its standard deviation.
    """
    return list(_leaves(value, ()))


def _leaves(value: Any, steps: Steps) -> Iterator[Leaf]:
    if isinstance(value, Tensor):
        yield Leaf(steps, value)
    elif len(steps) >= _DEEPEST:
        return
    elif isinstance(value, Distribution):
        for name in ("mean", "stddev"):
            try:
                yield Leaf((*steps, name), getattr(value, name))
            except NotImplementedError:
                continue
    else:
        for step, item in _items(value):
            yield from _leaves(item, (*steps, step))


def _items(value: Any) -> Iterator[tuple[int | str, Any]]:
    if isinstance(value, Mapping):
        yield from ((key, item) for key, item in value.items() if isinstance(key, str))
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from ((name, getattr(value, name)) for name in value._fields)
    elif isinstance(value, tuple | list):
        yield from enumerate(value)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))
    elif hasattr(value, "__dict__") and not isinstance(value, nn.Module | type):
        yield from vars(value).items()


def take(value: Any, steps: Steps) -> Tensor:
    """The tensor at `steps` in a value."""
    for step in steps:
        value = value[step] if isinstance(step, int) or isinstance(value, Mapping) else getattr(value, step)
    found: Tensor = value
    return found


def describe(value: Any) -> str:
    """A short description of a returned value with the shapes of its tensors, such as ``a tuple of [0] 6, [1] 6``."""
    if isinstance(value, Tensor):
        return f"one tensor of shape {_shape(value)}"
    found = leaves_of(value)
    said = [f"{_path(leaf.steps)} {_shape(leaf.value)}" for leaf in found]
    kind = type(value).__name__
    return f"a {kind} of {', '.join(said)}" if said else f"a {kind} without tensors"


def _path(steps: Steps) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _shape(value: Tensor) -> str:
    return " x ".join(map(str, value.shape[1:])) if value.ndim > 1 else "a number" if not value.ndim else "one a row"
