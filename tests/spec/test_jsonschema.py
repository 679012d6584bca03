"""The committed JSON Schema is up to date and agrees with the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from causalvae.spec import parse_spec
from causalvae.spec.jsonschema import DIALECT, json_schema, json_schema_text
from causalvae.spec.yaml_tree import compose
from tests.spec.faults import FACTORS, FAULTS, GOOD, LATENT, Fault

COMMITTED = Path(__file__).parents[2] / "specs" / "causalvae.schema.json"
# Faults of shape, which a JSON Schema can express; the rest needs the whole spec or the text.
EXPRESSED = {
    "CV016",
    "CV020",
    "CV021",
    "CV022",
    "CV023",
    "CV024",
    "CV025",
    "CV026",
    "CV027",
    "CV028",
    "CV029",
    "CV036",
    "CV038",
    "CV039",
}
BEYOND = {"crossed bound": "{at_least: 0.9, at_most: 0.1}", "not a number": ".nan"}


def load(text: str) -> Any:
    # The package's own reader: keys are text there, `null` too, as they are for an editor.
    root, _ = compose(text)
    assert root is not None
    return root.to_plain()


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema())


def test_the_committed_schema_is_up_to_date() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == json_schema_text(), "run `make generated`"


def test_the_schema_is_a_schema() -> None:
    schema = json_schema()
    assert schema["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "discriminator" not in json.dumps(schema)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace(
            FACTORS, "  factors: {shape: {kind: categorical}, scale: {levels: 6}, orientation: {}, x: {}, y: {}}\n"
        ),
        GOOD.replace("  scale: latent[3]\n", "  scale: {components: ['latent[3]']}\n"),
        GOOD.replace(LATENT, "    latent: {components: [$scale], values: zero}\n"),
        GOOD.replace(LATENT, "    latent: {components: $scale, values: {sd: [-2, 2]}}\n"),
        GOOD.replace("set: resample", "set: {to: 0.7}"),
        "".join(line for line in GOOD.splitlines(True) if not line.startswith(("estimation", "alignment", "report"))),
    ],
    ids=range(7),
)
def test_good_specs_pass_both(text: str, validator: jsonschema.Draft202012Validator) -> None:
    assert parse_spec(text)[1] == ()
    validator.validate(load(text))


# Of codes that are between fields elsewhere: an infinite bound, a vector of one, a component given twice.
SHAPED = (".inf", "«[centroid_x]}", "«centroid_x]}")


def expressed(fault: Fault) -> bool:
    return fault.code in EXPRESSED and not any(text in fault.new for text in BEYOND.values())


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if expressed(fault)], ids=lambda fault: fault.code)
def test_faults_of_shape_fail_both(fault: Fault, validator: jsonschema.Draft202012Validator) -> None:
    assert not validator.is_valid(load(fault.text))


def test_faults_between_fields_are_left_to_the_checks(validator: jsonschema.Draft202012Validator) -> None:
    between = [
        fault
        for fault in FAULTS
        if fault.code >= "CV030" and fault.code not in EXPRESSED and not any(text in fault.new for text in SHAPED)
    ]
    assert len(between) > 30
    assert all(validator.is_valid(load(fault.text)) for fault in between)


def test_editors_get_words_for_keys() -> None:
    schema = json_schema()
    assert "description" in schema["$defs"]["Hypothesis"]["properties"]["alpha"]
    assert schema["$defs"]["ActivationIntervention"]["required"] == ["components", "from"]
