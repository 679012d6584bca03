"""What is written beside trained weights."""

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
    """Metadata of weights, as text under each name.

    Parameters
    ----------
    record : dict
        The training spec, seed and steps among it, with all that the network's shape rests on in its model section.
    vae : VAE
    found : Evaluation
        How it does on samples.
    carries : tuple of Carries
        What its latents carry.
    images : str
        Which samples these were.
    seconds : float
        Training time, over all resumes.
    last : dict or None
        The log's last row: the terms of the loss.
    device : str
        What it was trained on.
    distributions : mapping, optional
        Version of each other distribution whose kinds the training spec names.
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
