"""Checks that each row of a batch is computed from that row alone.

An intervention changes one sample at a time, and the engine chooses the batches. Both require that the values of a
sample do not depend on the other samples in its batch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from causalvae.boundary import is_out_of_memory, refuse_lack_of_memory
from causalvae.errors import CausalVAEError, first_line
from causalvae.models.network_part import NetworkPart
from causalvae.models.purity import Values, cloned, not_a_function

# Rows that are run as one batch and one by one.
ROWS = 8
# Between batches of one size the same kernels run and a row that is its own has the same bits, unless kernels gather
# rows (as a mixture of experts does). In double precision that rounding is below the first tolerance; the second is for
# networks that do not run so.
_DOUBLE, _SINGLE = 1e-11, 1e-5
_REMEDY = (
    "Decide and normalise within an input, not over the batch, in evaluation mode; torch.where chooses a row at a time."
)


@torch.no_grad()
def check_rows(
    network: nn.Module, given: Values, names: Sequence[str], many: Values | None = None, sizes: bool = True
) -> None:
    """Raise CV110 if a row's values depend on other rows of its batch, on its position, or on the batch size.

    Some rows of a batch are replaced (by other rows, by the largest and smallest values of each input, by standard
    normal ones) and the others must stay the same; for every pair of rows, each is replaced at least once while the
    other stays. Then the rows are run in another order, one by one, and as the first rows of a larger batch.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; returns a tuple of tensors.
    given : tuple of Tensor
        Arguments, at least two rows each, such as samples of the data. The first eight rows are used.
    names : sequence of str
        Of what the network returns.
    many : tuple of Tensor, optional
        A larger batch that begins with the rows of `given`.
    sizes : bool
        Whether the rows are run in another order and in batches of other sizes; False for a part of a network of which
        the whole was run so on these rows.

    Raises
    ------
    CausalVAEError
        CV110.
    """
    given = tuple(value[:ROWS] for value in given)
    rows = len(given[0])
    clean = _returned(network, given, names)
    for fixed, changed in _replaced(given):
        try:
            found = network(*cloned(changed.values))
        except Exception as error:
            if changed.of_the_data or is_out_of_memory(error):
                raise
            # The network may reject values that never occur in the data.
            continue
        differs = _differing(clean, found, fixed, 0.0)
        if differs is not None and _is_no_rounding(network, given, changed.values, fixed):
            raise _mixed(network, given, changed.values, fixed, f"an input's {names[differs]}")
    if not sizes:
        return
    order = torch.arange(rows).roll(1)
    moved = tuple(value[order] for value in given)
    found = [value[order.argsort()] for value in network(*cloned(moved))]
    differs = _differing(clean, found, torch.ones(rows, dtype=torch.bool), _SINGLE)
    if differs is not None:
        raise not_a_function(f"an input's {names[differs]} depends on the place of the input in its batch.", _REMEDY)
    for row in range(rows):
        try:
            alone = network(*cloned(tuple(value[row : row + 1] for value in given)))
        except Exception as error:
            raise not_a_function(
                f"the network takes no batch of one input: {first_line(error)}.", "Let it take a batch of any size."
            ) from error
        _check_size(clean, alone, slice(row, row + 1), slice(0, 1), names)
    if many is not None and len(many[0]) > rows:
        _check_size(clean, network(*cloned(many)), slice(0, rows), slice(0, rows), names)


def _check_size(
    clean: Sequence[Tensor], other: Sequence[Tensor], own: slice, theirs: slice, names: Sequence[str]
) -> None:
    """Compare rows of one batch with the same rows of a batch of another size."""
    for name, value, found in zip(names, clean, other, strict=True):
        # Another batch size may select another kernel, so equality is required only up to rounding.
        slack = 1e-4 * _largest(value) + 1e-6
        if found[theirs].shape != value[own].shape or not torch.allclose(
            found[theirs], value[own], rtol=1e-3, atol=slack, equal_nan=True
        ):
            raise not_a_function(
                f"an input's {name} depends on the other inputs of its batch, or on their number.", _REMEDY
            )


def _is_no_rounding(network: nn.Module, given: Values, changed: Values, fixed: Tensor) -> bool:
    """Whether rows differ by more than rounding."""
    try:
        exact = copy.deepcopy(network).double()
        clean, other = (exact(*(value.double() for value in values)) for values in (given, changed))
        tolerance = _DOUBLE
    except Exception as error:  # whatever a network raises that is written for single precision, or cannot be copied
        refuse_lack_of_memory(error)
        clean, other = network(*cloned(given)), network(*cloned(changed))
        tolerance = _SINGLE
    return _differing(clean, other, fixed, tolerance) is not None


@dataclass(frozen=True)
class _Batch:
    """Arguments in which some rows are replaced."""

    values: Values
    of_the_data: bool


def _replaced(given: Values) -> Iterator[tuple[Tensor, _Batch]]:
    """Batches with some rows replaced, each with a mask of the rows that stay.

    Rows are split by each binary digit of their number, so that of every two rows each is replaced once while the
    other stays.
    """
    rows = len(given[0])
    digits = range(max(rows - 1, 1).bit_length())
    splits = [((torch.arange(rows) >> digit) & 1) == side for digit in digits for side in (0, 1)]
    generator = torch.Generator().manual_seed(1)
    shifted = tuple(value.roll(1, 0) for value in given)
    normal = tuple(torch.randn(value.shape, generator=generator).to(value) for value in given)
    largest = tuple(value.amax(0, keepdim=True).expand_as(value) for value in given)
    smallest = tuple(value.amin(0, keepdim=True).expand_as(value) for value in given)
    kinds = [(shifted, True, splits), *((other, False, splits[:2]) for other in (largest, smallest, normal))]
    for others, of_the_data, masks in kinds:
        for fixed in masks:
            mixed = tuple(
                torch.where(fixed.to(value.device).reshape(-1, *[1] * (value.ndim - 1)), value, other)
                for value, other in zip(given, others, strict=True)
            )
            yield fixed, _Batch(mixed, of_the_data)


def _returned(network: nn.Module, given: Values, names: Sequence[str]) -> list[Tensor]:
    rows = len(given[0])
    found = list(network(*cloned(given)))
    for name, value in zip(names, found, strict=True):
        if not isinstance(value, Tensor) or value.ndim == 0 or len(value) != rows:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise not_a_function(
                f"for {rows} inputs the network gives {shape} as {name}, which has not one row an input.",
                "Keep the batch on the first axis; recurrent and attention layers need batch_first=True.",
            )
    return [value.clone() for value in found]


def _differing(clean: Sequence[Tensor], found: Sequence[Tensor], rows: Tensor, tolerance: float) -> int | None:
    """Position of the first value of which some of `rows` differ."""
    for position, (value, other) in enumerate(zip(clean, found, strict=True)):
        if value.shape != other.shape or not _close(value[rows], other[rows], tolerance * _largest(value)):
            return position
    return None


def _close(one: Tensor, other: Tensor, slack: float) -> bool:
    if not one.is_floating_point():
        return torch.equal(one, other)
    return torch.allclose(one, other, rtol=0.0, atol=slack, equal_nan=True)


def _largest(value: Tensor) -> float:
    finite = value[value.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0


@dataclass(frozen=True)
class _Step:
    """A call of a module: the tensors it received and the tensors it returned."""

    path: str
    module: nn.Module
    given: list[Tensor]
    returned: list[Tensor]


def _mixed(network: nn.Module, given: Values, changed: Values, fixed: Tensor, what: str) -> CausalVAEError:
    """The error, naming the first module that mixes rows although its inputs are not mixed."""
    for clean, other in zip(_steps(network, given), _steps(network, changed), strict=False):
        if clean.path != other.path:
            break
        if _differ(clean.returned, other.returned, fixed):
            inside = not _differ(clean.given, other.given, fixed)
            path = clean.path if inside else clean.path.rpartition(".")[0]
            module = network.get_submodule(path)
            # A part of a user's network has the name that the user gave it.
            named = module.first.path if isinstance(module, NetworkPart) else f"{path} ({type(module).__name__})"
            where = f", in {named}" if path else ""
            remedy = _remedy(path, clean.module) if inside else _REMEDY
            return not_a_function(f"{what} depends on the other inputs of its batch{where}.", remedy)
    return not_a_function(f"{what} depends on the other inputs of its batch.", _REMEDY)


def _differ(clean: list[Tensor], other: list[Tensor], fixed: Tensor) -> bool:
    rows = len(fixed)
    pairs = zip(clean, other, strict=False)
    return any(
        len(one) == rows and one.shape == two.shape and not _close(one[fixed], two[fixed], 0.0)
        for one, two in pairs
        if one.ndim > 0
    )


def _remedy(path: str, module: nn.Module) -> str:
    if getattr(module, "batch_first", True) is False:
        return f"{path} takes its input as (steps, batch, features): make it with batch_first=True."
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
        return f"{path} normalises over the batch in evaluation mode too: it needs track_running_stats=True."
    return _REMEDY


def _steps(network: nn.Module, given: Values) -> list[_Step]:
    """The calls of modules in one pass, in the order in which they return (inner modules first)."""
    steps: list[_Step] = []
    stack: list[list[Tensor]] = []

    def tensors(value: Any) -> list[Tensor]:
        return [leaf.detach().clone() for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]

    def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
        stack.append(tensors((args, kwargs)))

    def leave(path: str, module: nn.Module, args: Any, output: Any) -> None:
        steps.append(_Step(path, module, stack.pop(), tensors(output)))

    with ExitStack() as hooks:
        for path, module in network.named_modules():
            if path:
                hooks.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
                hooks.callback(module.register_forward_hook(partial(leave, path)).remove)
        network(*cloned(given))
    return steps
