"""The model section: which keys belong to which source, and what is known of a network before it is loaded."""

from __future__ import annotations

import jsonschema
import pytest
from ruamel.yaml import YAML

from causalvae.models.kinds.checkpoint import CheckpointModel
from causalvae.spec.jsonschema import json_schema
from causalvae.spec.loader import parse_spec
from causalvae.spec.model_section import MODELS
from causalvae.spec.schema import Spec

TEXT = """
spec: causalvae/v1
name: mine
model: {%s}
data: {source: dsprites}
graph: {factors: [scale], attributes: {area: {readout: area}}, edges: [scale -> area]}
mapping: {scale: "%s"}
interventions: [{name: resize, input: {factor: scale}}]
"""
GOOD = {
    "zoo": "source: zoo, weights: builtin://dsprites-disentangled",
    "checkpoint": "source: checkpoint, weights: last.ckpt, name: mlp, hidden: [64], prefix: model., ignore: [critic.]",
    "factory": "source: checkpoint, weights: w.pt, factory: 'a.b:c', arguments: {width: 3}, latent_dim: 4",
    "python": "source: python, factory: 'a:b', latent_dim: 4, posterior: {layout: point}",
    "pythae": "source: pythae, path: runs/VAE, untrained: true",
    "diffusers": "source: diffusers, path: sd/vae, latent: sample",
    "exported": "source: exported, encoder: e.pt2, decoder: d.pt2, latent_dim: 4, output: {activation: none}",
    "compiled": "source: compiled, circuit: or, dead: 4, loud: {count: 2}, rotate: 3, scales: [10, 0.1]",
}


def read(model: str, latent: str = "latent[3]") -> tuple[Spec | None, list[tuple[str, str]]]:
    spec, diagnostics = parse_spec(TEXT % (model, latent))
    return spec, [(found.code, found.message) for found in diagnostics]


@pytest.mark.parametrize("name", list(GOOD))
def test_every_source_is_read_and_fits_the_json_schema(name: str) -> None:
    spec, found = read(GOOD[name])
    assert spec is not None, found
    assert found == []
    jsonschema.validate(YAML(typ="safe").load(TEXT % (GOOD[name], "latent[3]")), json_schema())
    assert isinstance(spec.model, MODELS.get(spec.model.kind))
    assert spec.model.label


def test_what_lies_where_is_told_by_the_section() -> None:
    places = {name: spec.model.places for name in GOOD if (spec := read(GOOD[name])[0]) is not None}
    assert places["checkpoint"] == {"weights": "last.ckpt"}
    assert places["python"] == {}
    assert places["pythae"] == {"path": "runs/VAE"}
    assert places["exported"] == {"encoder": "e.pt2", "decoder": "d.pt2"}
    spec, _ = read(GOOD["exported"])
    assert spec is not None
    assert spec.model.files == ("e.pt2", "d.pt2")


@pytest.mark.parametrize(
    ("model", "code", "told"),
    [
        ("source: checkpoint, weights: w, name: mlp, factory: 'a:b', latent_dim: 3", "CV028", "'name' or 'factory'"),
        ("source: checkpoint, weights: w, factory: 'a:b'", "CV021", "lacks the key 'latent_dim'"),
        ("source: checkpoint, weights: w, hidden: [3]", "CV020", "'hidden' without `name: mlp`"),
        (
            "source: checkpoint, weights: w, name: mlp, width: 8",
            "CV020",
            "without `name: audio` or `name: residual`",
        ),
        ("source: checkpoint, weights: w, encoder: enc", "CV020", "'encoder' without `factory`"),
        ("source: checkpoint, weights: w, name: resnet", "CV023", "resnet"),
        ("source: checkpoint, weights: w, factory: 'a b'", "CV025", "a b"),
        ("source: python, factory: 'a:b', latent_dim: 0", "CV024", "latent_dim"),
        ("source: python, factory: 'a:b', latent_dim: 1000000000", "CV024", "latent_dim"),
        ("source: pythae", "CV021", "lacks the key 'path'"),
        ("source: diffusers, path: p, weights: w", "CV020", "weights"),
        ("source: exported, encoder: e, latent_dim: 3", "CV021", "lacks the key 'decoder'"),
        ("source: hub", "CV023", "hub"),
    ],
)
def test_faults_are_told(model: str, code: str, told: str) -> None:
    spec, found = read(model)
    assert spec is None
    assert any(code == known and told in message for known, message in found), found


@pytest.mark.parametrize(
    ("name", "latent", "code"),
    [
        ("python", "latent[4]", "CV052"),
        ("exported", "latent[0:5]", "CV052"),
        ("factory", "latent[9]", "CV052"),
        ("zoo", "latent[3; 0:2, 0:2]", "CV052"),
        # A latent may be a map where nothing says otherwise, and its channels are counted only where declared.
        ("python", "latent[3; 0:2, 0:2]", None),
        ("diffusers", "latent[12; 0:2, 0:2]", None),
        ("checkpoint", "latent[12]", None),
        ("pythae", "latent[12]", None),
    ],
)
def test_addresses_are_held_against_what_is_declared(name: str, latent: str, code: str | None) -> None:
    _, found = read(GOOD[name], latent)
    assert [known for known, _ in found] == ([] if code is None else [code])


def test_a_network_without_a_name_is_the_burgess_one() -> None:
    section = CheckpointModel(source="checkpoint", weights="w.pt")
    assert (section.label, section.declared_latents, section.has_vector) == ("burgess", None, True)
