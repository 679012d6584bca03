"""Opens weights that `causalvae train` wrote, including the built-in ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalvae.boundary import boundary
from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.models.architectures import build_described
from causalvae.models.card import ACTIVE_NATS, read_card
from causalvae.models.opened import Opened
from causalvae.models.vae import VAE
from causalvae.models.weights import Weights, load_into, read_weights, trained_as
from causalvae.spec.architecture_section import DEFAULT_ARCHITECTURE
from causalvae.spec.training import Supervision

if TYPE_CHECKING:
    from causalvae.models.kinds.zoo import ZooModel


def open_zoo(section: ZooModel, folder: Path) -> Opened:
    """Read the weights of a ``source: zoo`` section into the network that they were trained as.

    Parameters
    ----------
    section : ZooModel
    folder : Path
        The spec file's folder.

    Raises
    ------
    CausalVAEError
        CV101 to CV103 for the weights, CV116 if they were trained with another architecture than the section names,
        CV144 if no installed package defines it.
    """
    weights = read_weights(section.weights, folder)
    trained = trained_as(weights)
    facts: dict[str, Any] = dict(section.declared)
    vae = _trained_network(section, weights, trained)
    facts["network"] = trained.get("model", {}).get("architecture", section.name or DEFAULT_ARCHITECTURE)
    load_into(vae, weights)
    if trained:
        facts["objective"] = ", ".join(f"{key} {value}" for key, value in trained["objective"].items())
        if trained.get("supervision"):
            facts["supervision"] = Supervision.model_validate(trained["supervision"]).in_words()
        minutes = int(weights.metadata["seconds"]) / 60
        facts["training"] = f"{trained['steps']} steps of {trained['batch_size']} images in {minutes:.0f} min"
    card = read_card(weights.metadata, weights.place)
    if card.kl:
        active = ", ".join(map(str, card.active)) or "none"
        facts["active latents"] = f"{active} (KL above {ACTIVE_NATS:g} nats)"
    if card.carries:
        facts["what latents carry"] = card.in_words()
    read_as: list[Any] = [section.source, section.name, vae.layout, vae.activation, section.latent]
    if vae.likelihood == "gaussian":
        # The likelihood depends on sigma, and a fixed sigma is not among the weights.
        read_as.append(vae.sigma)
    return Opened(vae, weights.digest, facts, digest=digest([weights.digest, read_as]))


def _trained_network(section: ZooModel, weights: Weights, trained: dict[str, Any]) -> VAE:
    """The network of weights from `causalvae train`, before the weights are loaded."""
    model = trained.get("model", {})
    architecture = model.get("architecture", section.name or DEFAULT_ARCHITECTURE)
    if section.name is not None and section.name != architecture:
        raise CausalVAEError(
            "CV116",
            f"the weights were trained as {architecture}, the spec names {section.name}.",
            "Delete model.name.",
            "model.name",
        )
    remedy = "Write the weights with `causalvae train`, or name them under `source: checkpoint`."
    with boundary("CV102", f"{weights.place} does not say which network it is of", remedy, "model.weights"):
        shape = json.loads(weights.metadata.get("input_shape", "[1, 64, 64]"))
        return build_described({**model, "architecture": architecture}, tuple(shape))
