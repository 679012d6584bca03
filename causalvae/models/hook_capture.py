"""Builds a `HookedNetwork` from a network and checks that it reproduces the network."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError, first_line
from causalvae.models.batch_rows import check_rows
from causalvae.models.capture import check_example
from causalvae.models.compiled import compiled_functions
from causalvae.models.hooked import Call, HookedNetwork
from causalvae.models.probe import Probe, measure_cost
from causalvae.models.purity import check_purity, cloned, copy_or_none, equal
from causalvae.models.quiet import quiet, unchecked_distributions


def capture_by_hooks(
    network: nn.Module, example: tuple[Tensor, ...], outputs: tuple[str, ...], others: tuple[Tensor, ...] = ()
) -> HookedNetwork:
    """Find what forward hooks reach in `network`, in evaluation mode; see `capture_network` for the parameters.

    A call of a module is a node if its output is one tensor with one row for each input, for all inputs: every probe
    must produce it. Probes are `example` and `others`, as batches and one row at a time.

    Raises
    ------
    CausalVAEError
        CV110 if a pass cannot be repeated, changes the network, or computes a row from other rows; CV111 if a function
        of a module is compiled, since hooks do not fire in it.
    """
    network.eval()
    compiled = compiled_functions(network)
    if compiled:
        raise CausalVAEError(
            "CV111",
            f"{', '.join(compiled)} is compiled, and forward hooks inside it are not called.",
            "Give the network before torch.compile.",
            "model",
        )
    check_example(example)
    batches = [given for given in (example, others) if given]
    probes = [batch for given in batches for batch in (given, *_alone(given))]
    try:
        with quiet(), unchecked_distributions(), torch.no_grad():
            check_purity(network, example, outputs)
            for given in batches:
                check_rows(network, given, outputs)
            calls = _meet(network, probes)
            returned = network(*cloned(example))
            unused = _unused(network, example)
            copyable = _is_copied_faithfully(network, example, calls)
            flops, moved = measure_cost(lambda: network(*cloned(example)), len(example[0]))
    except CausalVAEError:
        raise
    except Exception as error:
        reason = first_line(error)
        raise CausalVAEError(
            "CV110",
            f"the network cannot be run: {reason}",
            "Check that it takes a batch of any size in evaluation mode.",
        ) from error
    names = tuple(inspect.signature(network.forward).parameters)[: len(example)]
    return HookedNetwork(
        network,
        {name: tuple(value.shape[1:]) for name, value in zip(names, example, strict=True)},
        {name: tuple(value.shape[1:]) for name, value in zip(outputs, returned, strict=True)},
        calls,
        frozenset(names[position] for position in unused),
        copyable,
        flops,
        moved,
    )


def _alone(values: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
    """Each row as a batch of one."""
    return [tuple(value[row : row + 1] for value in values) for row in range(len(values[0]))]


def _meet(network: nn.Module, probes: Sequence[tuple[Tensor, ...]]) -> tuple[Call, ...]:
    """The calls that occur in every probe, in order of computation."""
    found: list[dict[str, Call]] = []
    for given in probes:
        probe = Probe(len(given[0]))
        with probe.watching(network):
            network(*cloned(given))
        found.append(probe.calls())
    leaves = {node: all(met[node].is_leaf for met in found if node in met) for node in found[0]}
    same = [replace(call, is_leaf=leaves[node]) for node, call in found[0].items()]
    return tuple(
        call
        for call in same
        if all(call.node in met and replace(met[call.node], is_leaf=call.is_leaf) == call for met in found)
    )


def _unused(network: nn.Module, example: tuple[Tensor, ...]) -> list[int]:
    """Positions of arguments that do not influence the outputs."""
    expected = network(*cloned(example))
    unused = []
    for position, value in enumerate(example):
        other = (*example[:position], value.flip(0) + 1, *example[position + 1 :])
        if all(equal(one, two) for one, two in zip(expected, network(*cloned(other)), strict=True)):
            unused.append(position)
    return unused


def _is_copied_faithfully(network: nn.Module, example: tuple[Tensor, ...], calls: tuple[Call, ...]) -> bool:
    """Whether a copy of the modules gives the same values and calls its own modules, not the original's."""
    copied = copy_or_none(network)
    if copied is None:
        return False
    probe = Probe(len(example[0]))
    with probe.watching(copied):
        values = copied(*cloned(example))
    same = all(equal(one, other) for one, other in zip(values, network(*cloned(example)), strict=True))
    return same and {call.node for call in calls} <= probe.calls().keys()
