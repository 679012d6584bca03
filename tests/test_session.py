"""Opening what a spec names, and how often a run does it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from causalvae.errors import CausalVAEError
from causalvae.models.weights import read_weights
from causalvae.session import open_session
from causalvae.spec import Spec


def declare() -> Spec:
    return Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": "weights",
            "model": {"source": "checkpoint", "weights": "w.safetensors"},
            "data": {"source": "dsprites", "samples": 8},
            "graph": {"factors": ["scale"], "attributes": {"area": {"readout": "area"}}, "edges": ["scale -> area"]},
        }
    )


def test_replaced_weights_are_read_anew(tmp_path: Path) -> None:
    state = read_weights("builtin://dsprites-disentangled", tmp_path).state
    file = tmp_path / "w.safetensors"
    save_file(state, str(file))
    first = open_session(declare(), tmp_path)
    save_file(read_weights("builtin://dsprites-vae", tmp_path).state, str(file))
    second = open_session(declare(), tmp_path)
    assert second.model.components.model_digest != first.model.components.model_digest


def test_weights_that_learned_nothing_are_refused(tmp_path: Path) -> None:
    state = read_weights("builtin://dsprites-disentangled", tmp_path).state
    noise = {name: torch.randn_like(value) for name, value in state.items()}
    save_file(noise, str(tmp_path / "w.safetensors"))
    with pytest.raises(CausalVAEError) as caught:
        open_session(declare(), tmp_path)
    assert caught.value.code in ("CV106", "CV107")
