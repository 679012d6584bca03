"""Checks that a network is a function of its arguments: it stores nothing between passes and draws no noise.

A network may modify its arguments in place; parts that do so receive copies (`find_writing`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from causalvae.boundary import refuse_lack_of_memory
from causalvae.errors import CausalVAEError
from causalvae.models.hooked import copy_modules
from causalvae.models.operators import tensors_of
from causalvae.models.vae import VAE, Part

_MOST_NAMES = 4
_STATE = (
    "A network must not change its own state in evaluation mode; batch normalisation must use running statistics in "
    "model.eval()."
)

Values = tuple[Tensor, ...]
Network = TypeVar("Network", bound=nn.Module)


def cloned(values: Sequence[Tensor]) -> Values:
    """Copies, since a network may modify its arguments in place."""
    return tuple(value.clone() for value in values)


def equal(one: Tensor, other: Tensor) -> bool:
    """Whether two values are equal; NaN is equal to NaN and to nothing else."""
    if one.shape != other.shape:
        return False
    return torch.equal(one, other) or bool(((one == other) | ((one != one) & (other != other))).all())


def copy_or_none(network: Network) -> Network | None:
    """A copy of the modules over the same tensors; None if they cannot be copied."""
    try:
        with warnings.catch_warnings():
            # Copying an exported program warns of tensors without data that lie in it.
            warnings.simplefilter("ignore")
            copied = copy_modules(network)
    except Exception as error:  # whatever a foreign __deepcopy__ raises, the answer is that there is no copy
        refuse_lack_of_memory(error)
        return None
    return cast(Network, copied)


@contextmanager
def leaving_no_trace(network: nn.Module) -> Iterator[None]:
    """Restore the attributes of a network's modules after the block.

    Entries of dictionaries, lists and sets among the attributes are restored as well; deeper values are not.
    """
    kept = [(module.__dict__, name, value) for module in network.modules() for name, value in module.__dict__.items()]
    known = [(attributes, set(attributes)) for attributes in (module.__dict__ for module in network.modules())]
    inside = [(value, copy(value)) for _, _, value in kept if isinstance(value, dict | list | set)]
    try:
        yield
    finally:
        for attributes, names in known:
            for name in attributes.keys() - names:
                del attributes[name]
        for attributes, name, value in kept:
            attributes[name] = value
        for value, before in inside:
            if isinstance(value, list):
                value[:] = before
            else:
                value.clear()
                value.update(before)


@torch.no_grad()
def check_purity(network: nn.Module, given: Values, names: Sequence[str]) -> None:
    """Raise CV110 if a pass changes the network, an earlier result, or depends on earlier passes.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; returns a tuple of tensors. It should not have been run before: if it can be copied, a copy
        shows whether its first inputs influence later results.
    given : tuple of Tensor
        Arguments, at least two rows each.
    names : sequence of str
        Of what the network returns.

    Raises
    ------
    CausalVAEError
        CV110 if forward() changes parameters or buffers, overwrites values that an earlier pass returned, draws noise,
        or depends on earlier inputs.
    """
    before = {name: tensor.clone() for name, tensor in tensors_of(network).items()}
    unused = copy_or_none(network)
    # Other rows in each position, and another number of rows if at least two remain.
    other = tuple(value.flip(0)[: max(2, len(value) - 1)] for value in given)
    first = network(*cloned(given))
    kept = [value.clone() for value in first]
    network(*cloned(other))
    overwritten = [name for name, value, own in zip(names, first, kept, strict=True) if not equal(value, own)]
    again = network(*cloned(given))
    changed = [name for name, tensor in tensors_of(network).items() if not equal(tensor, before[name])]
    if changed:
        more = f" and {len(changed) - _MOST_NAMES} more" if len(changed) > _MOST_NAMES else ""
        raise not_a_function(f"forward() changes {', '.join(changed[:_MOST_NAMES])}{more}.", _STATE)
    if overwritten:
        raise not_a_function(
            f"a later pass writes on the {overwritten[0]} that an earlier one returned.",
            "Return new tensors, not views of one that the network keeps.",
        )
    if not all(map(equal, kept, again)):
        raise not_a_function(
            "two passes over the same inputs differ in evaluation mode.",
            "Draw noise outside the network, and keep no counts or values of earlier passes in it; dropout must be "
            "off in model.eval().",
        )
    if unused is not None:
        unused(*cloned(other))
        if not all(map(equal, kept, unused(*cloned(given)))):
            raise not_a_function(
                "the network's output for an input depends on earlier inputs.",
                "Keep no values of earlier passes in it: a cache must not depend on inputs.",
            )


@torch.no_grad()
def find_writing(vae: VAE, x: Tensor) -> frozenset[Part]:
    """The parts of a VAE that modify their input in place.

    Parameters
    ----------
    vae : VAE
    x : Tensor, shape (n, *input_shape)
        Inputs in [0, 1].
    """
    found: set[Part] = set()
    scaled = vae.scale_input(x.clone())
    encoded, writes = _watched(vae.encoder, (scaled,))
    if writes:
        found.add("encoder")
    mean = vae.split(encoded).mean
    if vae.latent_layer is not None:
        latent, writes = _watched(vae.latent_layer, (mean,))
        if writes:
            found.add("latent_layer")
    else:
        latent = mean
    if _watched(vae.decoder, (latent, scaled) if vae.decoder_reads_input else (latent,))[1]:
        found.add("decoder")
    return frozenset(found)


def _watched(part: nn.Module, values: Values) -> tuple[Tensor, bool]:
    """The value that a part returns, and whether the part modified an argument in place."""
    # Cloned, so that a view does not share its version counter with other values.
    given = cloned(values)
    versions = [value._version for value in given]
    returned: Tensor = part(*given)
    # A write to .data does not change the version.
    pairs = zip(given, values, strict=True)
    written = versions != [value._version for value in given] or not all(equal(one, two) for one, two in pairs)
    return returned, written


def not_a_function(message: str, remedy: str) -> CausalVAEError:
    """The error for a network that is not a function of each input alone."""
    return CausalVAEError("CV110", message, remedy, "model")
