"""What a spec refers to is opened once, and again when its files change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from causalvae.errors import CausalVAEError
from causalvae.models.weights import read_weights
from causalvae.spec import Spec
from causalvae.workspace import open_workspace


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
    state = read_weights("builtin://dsprites-tcvae", tmp_path).state
    file = tmp_path / "w.safetensors"
    save_file(state, str(file))
    first = open_workspace(declare(), tmp_path)
    assert open_workspace(declare(), tmp_path) is first
    save_file(read_weights("builtin://dsprites-vae", tmp_path).state, str(file))
    os.utime(file, ns=(1, 1))
    second = open_workspace(declare(), tmp_path)
    assert second.model.components.model_digest != first.model.components.model_digest


def test_weights_that_learned_nothing_are_refused(tmp_path: Path) -> None:
    state = read_weights("builtin://dsprites-tcvae", tmp_path).state
    noise = {name: torch.randn_like(value) for name, value in state.items()}
    save_file(noise, str(tmp_path / "w.safetensors"))
    with pytest.raises(CausalVAEError) as caught:
        open_workspace(declare(), tmp_path)
    assert caught.value.code in ("CV106", "CV107")
