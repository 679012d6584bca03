"""Opens the user's own weights, for an architecture of this package or a network that a factory function returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.models.architectures import square_burgess
from causalvae.models.burgess import SIDES
from causalvae.models.opened import Opened, read_config
from causalvae.models.own_network import read_own
from causalvae.models.probe_inputs import stand_in_inputs
from causalvae.models.python_source import make_network
from causalvae.models.vae import VAE, Likelihood
from causalvae.models.weights import Weights, load_into, read_weights, without_prefix
from causalvae.spec.architecture_section import ARCHITECTURES, DEFAULT_ARCHITECTURE
from causalvae.spec.model_section import PosteriorSection
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.models.kinds.checkpoint import CheckpointModel

_SPECS = "specs.json"


def open_checkpoint(
    section: CheckpointModel,
    folder: Path,
    input_shape: tuple[int, ...],
    inputs: Tensor | None = None,
    condition: int = 0,
) -> Opened:
    """Read the weights of a ``source: checkpoint`` section into the network that it names.

    Parameters
    ----------
    section : CheckpointModel
    folder : Path
        The spec file's folder.
    input_shape : tuple of int
        Of the data, without the batch axis.
    inputs : Tensor, shape (n, *input_shape), optional
        Samples of the data; see `stand_in_inputs` if omitted.
    condition : int
        Number of the last channels (columns) that hold a condition.

    Raises
    ------
    CausalVAEError
        CV101 to CV103 and CV125 to CV127 for the weights, CV128 for sizes that neither the spec nor the weights give
        and for disentangling-vae folders that cannot be read; CV115 if the architecture does not take such inputs;
        CV117 to CV119, CV130 and CV140 to CV142 for a factory's network.
    """
    place = locate(folder, section.weights)
    if (place / _SPECS).is_file():
        return _open_disentangling(section, place)
    weights = read_weights(section.weights, folder, section.key)
    if section.factory is not None:
        network, source = make_network(section.factory, section.arguments, folder)
        fitted = without_prefix(weights, network.state_dict(), section.prefix, section.ignore)
        load_into(network, fitted)
        read = read_own(network, section, stand_in_inputs(input_shape) if inputs is None else inputs, condition)
        return replace(read, identity=digest([read.identity, source]), facts={**fitted.facts, **read.facts})
    vae = _named(section, weights, input_shape)
    fitted = without_prefix(weights, vae.state_dict(), section.prefix, section.ignore)
    load_into(vae, fitted)
    return Opened(_read_as(vae, section), fitted.digest, fitted.facts)


def _named(section: CheckpointModel, weights: Weights, input_shape: tuple[int, ...]) -> VAE:
    """The named architecture, with sizes from the spec or inferred from the weights."""
    kind, prefix = ARCHITECTURES.get(section.name or DEFAULT_ARCHITECTURE), section.prefix or ""

    def rows(ending: str) -> int | None:
        """Length of the first axis of the tensor whose name ends in `ending`."""
        shape = _shape(weights.state, prefix + ending)
        return None if shape is None else shape[0]

    latents = section.latent_dim
    if latents is None:
        found = rows(kind.head)
        latents = None if found is None else found // 2
    if latents is None:
        raise _unknown_size("latent_dim", kind.head, weights)
    likelihood = kind.usual_likelihood if section.output is None else section.output.likelihood
    described: dict[str, Any] = {"latent_dim": latents, "likelihood": likelihood}
    for key in kind.sizes:
        described[key] = getattr(section, key)
    for key, (value, tensor) in kind.found_sizes(rows).items():
        if described[key] is None:
            described[key] = value
        if described[key] is None:
            raise _unknown_size(key, tensor, weights)
    return kind.build(described, input_shape)


def _shape(state: Mapping[str, Tensor], ending: str) -> tuple[int, ...] | None:
    found = [value for name, value in state.items() if name == ending or name.endswith("." + ending)]
    return tuple(found[0].shape) if found and found[0].ndim else None


def _unknown_size(key: str, name: str, weights: Weights) -> CausalVAEError:
    some = ", ".join(sorted(weights.state)[:4])
    return CausalVAEError(
        "CV128",
        f"the spec gives no {key}, and {weights.place} has no {name} to read it off.",
        f"Write model.{key}, and check model.name: names in the file are such as {some}.",
        f"model.{key}",
    )


def _read_as(vae: VAE, section: CheckpointModel, posterior: PosteriorSection | None = None) -> VAE:
    """The network, read as the section declares; `posterior` is the default of the section's `posterior`."""
    read = section.posterior or posterior or PosteriorSection()
    vae.layout, vae.second = read.reading
    if section.output is not None:
        vae.activation, vae.likelihood = section.output.activates(), section.output.likelihood
    vae.input_range = section.input_range
    return vae


def _open_disentangling(section: CheckpointModel, place: Path) -> Opened:
    """A folder of the disentangling-vae repository: its Burgess network, with mean and log-variance interleaved."""
    wanted = "a folder that disentangling-vae wrote"
    specs = read_config(place / _SPECS, section.weights, "CV128", wanted)
    try:
        shape = tuple(int(size) for size in specs["img_size"])
        latents = int(specs["latent_dim"])
        kind = str(specs["model_type"])
    except (LookupError, TypeError, ValueError, OverflowError):
        raise _refuse_folder(section, f"{_SPECS} lacks img_size, latent_dim or model_type", wanted) from None
    if section.factory is not None or section.name not in (None, "burgess"):
        raise _refuse_folder(section, f"it holds a {kind} network, and the spec names {section.label}", "no network")
    if kind.lower() != "burgess":
        raise _refuse_folder(section, f"model_type is {kind}", "one whose model_type is Burgess")
    if section.latent_dim not in (None, latents):
        raise _refuse_folder(section, f"it has {latents} latents, the spec says {section.latent_dim}", "no latent_dim")
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] not in SIDES:
        wanted = f"one of {' or '.join(f'{side} x {side}' for side in SIDES)} images"
        raise _refuse_folder(section, f"img_size is {list(shape)}", wanted)
    likelihood: Likelihood = "bernoulli" if specs.get("rec_dist", "bernoulli") == "bernoulli" else "gaussian"
    vae = square_burgess(shape, latents, likelihood)
    # Its decoder ends in a sigmoid whatever the likelihood.
    vae.activation = "sigmoid"
    weights = read_weights("model.pt", place, section.key)
    weights = without_prefix(replace(weights, place=f"{section.weights}/model.pt"), vae.state_dict(), section.prefix)
    load_into(vae, weights)
    facts: dict[str, Any] = {"objective": specs.get("loss"), "trained on": specs.get("dataset")}
    told = {key: str(value) for key, value in facts.items() if value is not None}
    return Opened(
        _read_as(vae, section, PosteriorSection(layout="interleaved")),
        weights.digest,
        {"format": "disentangling-vae", **told, **weights.facts},
    )


def _refuse_folder(section: CheckpointModel, what: str, wanted: str) -> CausalVAEError:
    return CausalVAEError(
        "CV128",
        f"{section.weights} cannot be read: {what}.",
        f"Give {wanted}; for other networks name a weights file and a factory.",
        "model.weights",
    )
