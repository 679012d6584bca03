"""The published format of results.json."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from causalvae.report.json_report import to_json_dict
from causalvae.report.results_schema import results_schema, results_schema_text
from causalvae.results import Results

COMMITTED = Path(__file__).parents[2] / "specs" / "results.schema.json"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(results_schema())


@pytest.fixture(scope="module")
def short(plain: Results) -> dict[str, Any]:
    """A result with one entry in each of its lists, which takes a tenth of the time."""
    content = json.loads(json.dumps(to_json_dict(plain)))
    return {key: value[:1] if isinstance(value, list) else value for key, value in content.items()}


def faults(validator: Draft202012Validator, content: Any) -> list[str]:
    return [error.json_path for error in validator.iter_errors(content)]


def test_the_committed_schema_is_that_of_the_code() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == results_schema_text(), "run `make generated`"


def test_the_schema_is_one_and_describes_what_is_written(
    validator: Draft202012Validator, plain: Results, hostile: Results
) -> None:
    Draft202012Validator.check_schema(results_schema())
    for results in (plain, hostile):
        assert faults(validator, json.loads(json.dumps(to_json_dict(results)))) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "causalvae/results-v1"),
        (("estimates", 0, "owner", "kind"), "someone"),
        (("estimates", 0, "component", "kind"), "whatever"),
        (("verdicts", 0, "status"), "maybe"),
        (("verdicts", 0, "tests", 0, "n"), "many"),
    ],
)
def test_what_is_no_result_is_found(
    validator: Draft202012Validator, short: dict[str, Any], path: tuple[str | int, ...], value: object
) -> None:
    assert faults(validator, short) == []
    content = copy.deepcopy(short)
    *inner, last = path
    place = content
    for key in inner:
        place = place[key]
    place[last] = value
    assert faults(validator, content)
