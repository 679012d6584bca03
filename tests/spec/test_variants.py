"""What a variant says of its model and data is laid over what the spec says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from causalvae.spec import Spec, parse_spec, write_resolved
from causalvae.spec.jsonschema import json_schema

BASE: dict[str, Any] = {
    "spec": "causalvae/v1",
    "name": "v",
    "model": {
        "source": "python", "factory": "a:b", "latent_dim": 4, "ignore": ["x", "y"], "output": {"activation": "none"},
        "arguments": {"width": 8, "act": {"name": "relu", "n": 1}},
    },
    "data": {"source": "dsprites", "samples": 64, "seed": 3},
    "graph": {"factors": ["scale"], "attributes": {"area": {"readout": "area"}}, "edges": ["scale -> area"]},
    "interventions": [{"name": "i", "input": {"factor": "scale"}}],
}  # fmt: skip


def with_variants(**variants: Any) -> str:
    return json.dumps({**BASE, "variants": variants}, indent=1)


def read(text: str) -> Spec:
    spec, diagnostics = parse_spec(text)
    assert [found.render() for found in diagnostics] == []
    assert spec is not None
    return spec


def test_mappings_are_merged_at_every_depth_and_all_else_is_replaced() -> None:
    text = with_variants(
        wide={"model": {"arguments": {"width": 16, "act": {"name": "gelu"}}, "ignore": ["z"], "latent": "sample"}},
        other={"model": {"source": "python", "factory": "a:c"}, "data": {"seed": 4}},
        same={},
    )
    spec = read(text)
    wide = spec.variant("wide").model.model_dump()
    assert wide["arguments"] == {"width": 16, "act": {"name": "gelu", "n": 1}}
    assert wide["ignore"] == ("z",) and wide["latent"] == "sample"
    assert wide["factory"] == "a:b" and wide["latent_dim"] == 4 and wide["output"]["activation"] == "none"
    other = spec.variant("other")
    assert other.model.model_dump()["factory"] == "a:c" and other.model.declared_latents == 4
    assert (other.data.seed, other.data.samples) == (4, 64)
    assert spec.variant("same").model == spec.model
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(text))
    assert read(write_resolved(spec)) == spec


def test_another_source_replaces_the_section() -> None:
    spec = read(with_variants(own={"model": {"source": "zoo", "weights": "builtin://dsprites-vae"}}))
    assert spec.variant("own").model.model_dump()["source"] == "zoo"
    _, diagnostics = parse_spec(with_variants(own={"model": {"source": "zoo", "latent": "mean"}}))
    assert [(found.code, found.field) for found in diagnostics] == [("CV021", "variants.own.model.weights")]


@pytest.mark.parametrize(
    ("variant", "code", "field"),
    [
        ({"model": {"factroy": "a:c"}}, "CV020", "variants.own.model.factroy"),
        ({"model": {"latent_dim": -1}}, "CV024", "variants.own.model.latent_dim"),
        ({"model": {"output": {"activation": "relu"}}}, "CV023", "variants.own.model.output.activation"),
        ({"model": 3}, "CV022", "variants.own.model"),
        ({"data": {"samples": 0}}, "CV024", "variants.own.data.samples"),
    ],
)
def test_a_fault_of_a_variant_is_told_in_it(variant: Any, code: str, field: str) -> None:
    _, diagnostics = parse_spec(with_variants(own=variant))
    assert [(found.code, found.field) for found in diagnostics] == [(code, field)]


def test_a_fault_that_variants_inherit_is_told_once() -> None:
    for key, value, code in (("latent_dim", 0, "CV024"), ("fcatory", "a:b", "CV020"), ("encoder", 3, "CV022")):
        base = {**BASE, "model": {**BASE["model"], key: value}}
        if key == "fcatory":
            del base["model"]["factory"]
        text = json.dumps(
            {**base, "variants": {"a": {"model": {"latent": "sample"}}, "b": {}, "c": {"data": {"seed": 1}}}}
        )
        _, diagnostics = parse_spec(text)
        assert [(found.code, found.field) for found in diagnostics] == [(code, f"model.{key}")]
