"""Metadata of trained weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch

from causalvae.models.card import Card, Carries, write_card
from causalvae.models.vae import VAE
from causalvae.training.evaluation import Evaluation
from causalvae.training.log import Row


def describe_weights(
    record: dict[str, Any],
    vae: VAE,
    found: Evaluation,
    carries: tuple[Carries, ...],
    images: str,
    seconds: float,
    last: Row | None,
    device: str = "cpu",
    distributions: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Metadata of weights as strings.

    Parameters
    ----------
    record : dict
        The training spec, with all values that determine the shape of the network in its model section.
    vae : VAE
    found : Evaluation
        Evaluation of the network.
    carries : tuple of Carries
        Effects of factors carried by latents.
    images : str
        Description of the samples of the evaluation.
    seconds : float
        Training time, including earlier runs.
    last : dict or None
        The last row of the log, with the terms of the loss.
    device : str
        Type of the device of training.
    distributions : mapping, optional
        Versions of extensions used in the spec.
    """
    metadata = {
        "format": "causalvae/weights-v1",
        "training_spec": json.dumps(record, sort_keys=True),
        "input_shape": json.dumps(list(vae.input_shape)),
        "seconds": str(round(seconds)),
        "images": images,
        "reconstruction_nats": str(round(found.reconstruction, 3)),
        "loss_terms": json.dumps(last or {}),
        "torch": torch.__version__,
        "device": device,
        **write_card(Card(found.kl, carries)),
    }
    if distributions:
        metadata["distributions"] = json.dumps(dict(distributions))
    if vae.likelihood == "gaussian":
        metadata["sigma"] = f"{float(vae.log_sigma.detach().exp()):.6g}"
    return metadata
