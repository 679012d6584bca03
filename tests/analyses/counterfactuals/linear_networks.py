"""Linear networks of a table of four independent standard normal factors, whose errors are known in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from causalvae.data.dataset import open_dataset
from causalvae.graph import CausalGraph
from causalvae.models.check import check_model
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.readouts import build_readouts
from causalvae.session import Session
from causalvae.spec.schema import Spec

NAMES = ("a", "b", "c", "d")
LATENTS = 6
OWN: Mapping[str, Sequence[int]] = {name: (place,) for place, name in enumerate(NAMES)}


def eye() -> Tensor:
    """The code of one latent a factor, shape (latents, factors)."""
    return torch.eye(LATENTS, len(NAMES))


def linear(code: Tensor, decoding: Tensor | None = None, offset: Tensor | None = None) -> VAE:
    """z = code x, output = decoding z + offset; `decoding` is the transpose of `code` where it is left out."""
    encoder, decoder = nn.Linear(len(NAMES), 2 * LATENTS), nn.Linear(LATENTS, len(NAMES))
    weights = torch.cat([code, torch.zeros_like(code)])
    encoder.load_state_dict({"weight": weights, "bias": torch.tensor([0.0] * LATENTS + [-12.0] * LATENTS)})
    offset = torch.zeros(len(NAMES)) if offset is None else offset
    decoder.load_state_dict({"weight": code.T.contiguous() if decoding is None else decoding, "bias": offset})
    return VAE(encoder, decoder, LATENTS, (len(NAMES),), activation="none", likelihood="gaussian")


def rotated(sine: float) -> VAE:
    """Latents 0 and 2 mix a and c: z_0 = cos a - sin c, z_2 = sin a + cos c."""
    code, cosine = eye(), (1 - sine**2) ** 0.5
    code[0, 0], code[0, 2], code[2, 0], code[2, 2] = cosine, -sine, sine, cosine
    return linear(code)


def lossy() -> VAE:
    """b is not encoded, and decoded at the middle of its range."""
    code = eye()
    code[1, 1] = 0.0
    return linear(code, offset=torch.tensor([0.0, 0.5, 0.0, 0.0]))


def partial() -> VAE:
    """a is in latents 0 and 4, half of it from each; the mapping names only latent 0."""
    code, decoding = eye(), eye().T.contiguous()
    code[4, 0] = 1.0
    decoding[0, 0] = decoding[0, 4] = 0.5
    return linear(code, decoding)


def mixed() -> VAE:
    """All latents and outputs mix all factors: nothing commutes, and nothing comes back."""
    draw = np.random.default_rng(3)
    code, decoding = (torch.from_numpy(0.5 * draw.standard_normal(shape)).float() for shape in ((6, 4), (4, 6)))
    return linear(code, decoding, torch.full((4,), 0.2))


NETWORKS: Mapping[str, Callable[[], VAE]] = {
    "identity": lambda: linear(eye()),
    "lossy": lossy,
    "partial": partial,
    "mixed": mixed,
    "rotated by 30 degrees": lambda: rotated(0.5),
    "rotated by 90 degrees": lambda: rotated(1.0),
}


@cache
def load(name: str) -> Model:
    """A network, captured once for all tests."""
    inputs = torch.from_numpy(np.random.default_rng(0).random((8, len(NAMES)), dtype=np.float32))
    return assemble(NETWORKS[name](), samples_latent=False, model_digest=name, facts={}, inputs=inputs)


def open_linear(
    network: str,
    mapping: Mapping[str, Sequence[int | str]] = OWN,
    variables: Mapping[str, Any] | None = None,
    edges: Sequence[str] = (),
    **spec: Any,
) -> Session:
    """A session of one of `NETWORKS`; attribute ya is the first column of the output, and so on."""
    declared = Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": "linear",
            "model": {"source": "zoo", "weights": "builtin://none"},
            "data": {
                "source": "scm",
                "world": "table",
                "variables": dict.fromkeys(NAMES, "normal(0, 1)") if variables is None else dict(variables),
                "samples": 40,
            },
            "graph": {
                "factors": list(NAMES),
                "attributes": {f"y{name}": {"readout": "column", "index": i} for i, name in enumerate(NAMES)},
                "edges": [*edges, *(f"{name} -> y{name}" for name in NAMES)],
            },
            "mapping": {
                name: {"components": [unit if isinstance(unit, str) else f"latent[{unit}]" for unit in units]}
                for name, units in mapping.items()
            },
            "estimation": {"bootstrap": 400},
            "execution": {"device": "cpu", "batch_rows": 512},
            **spec,
        }
    )
    dataset, model = open_dataset(declared.data, Path()), load(network)
    return Session(
        declared=declared,
        spec=declared,
        folder=Path(),
        model=model,
        dataset=dataset,
        readouts=build_readouts(declared.graph.attributes, declared.data.facts(), dataset.columns),
        graph=CausalGraph.from_section(declared.graph),
        check=check_model(model.vae, model.probes, False),
        found={},
    )
