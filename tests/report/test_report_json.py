from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from causalvae.errors import CausalVAEError
from causalvae.files import json_text
from causalvae.report import load_results
from causalvae.report.json_report import SCHEMA, from_json_dict, to_json_dict
from causalvae.results import Results
from tests.report.test_picture_kinds import with_pictures


def assert_equal(left: Any, right: Any, path: str = "results") -> None:
    """Equality that takes NaN for NaN and a list for a tuple's equal only within free-form facts."""
    assert type(left) is type(right), path
    if is_dataclass(left) and not isinstance(left, type):
        for field in fields(left):
            assert_equal(getattr(left, field.name), getattr(right, field.name), f"{path}.{field.name}")
    elif isinstance(left, (tuple, list)):
        assert len(left) == len(right), path
        for position, (one, other) in enumerate(zip(left, right, strict=True)):
            assert_equal(one, other, f"{path}[{position}]")
    elif isinstance(left, dict):
        assert list(left) == list(right), path
        for key in left:
            assert_equal(left[key], right[key], f"{path}[{key!r}]")
    elif isinstance(left, float) and math.isnan(left):
        assert math.isnan(right), path
    else:
        assert left == right, path


def refuse_constant(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")


def test_round_trip_rebuilds_every_value(plain: Results, plain_files: dict[str, Path]) -> None:
    assert_equal(load_results(plain_files["json"].parent), plain)
    assert_equal(load_results(plain_files["json"]), plain)


def test_round_trip_of_hostile_strings(hostile: Results, hostile_files: dict[str, Path]) -> None:
    assert_equal(load_results(hostile_files["json"].parent), hostile)


def test_json_is_strict_and_names_its_schema(plain_files: dict[str, Path]) -> None:
    content = json.loads(plain_files["json"].read_text(encoding="utf-8"), parse_constant=refuse_constant)
    assert content["schema"] == SCHEMA
    assert content["controls"][3]["value"] is None, "NaN is written as null"


def test_the_optional_number_stays_none_and_the_plain_one_becomes_nan(plain: Results) -> None:
    content = to_json_dict(plain)
    test = content["verdicts"][2]["tests"][1]
    assert (test["value"], test["lower"]) == (None, None)
    again = from_json_dict(content).verdicts[2].tests[1]
    assert math.isnan(again.value)
    assert again.lower is None


def test_infinity_is_null(plain: Results) -> None:
    endless = replace(plain, controls=(replace(plain.controls[0], value=math.inf),))
    assert to_json_dict(endless)["controls"][0]["value"] is None


def test_numpy_numbers_in_facts(plain: Results) -> None:
    import numpy as np

    facts = {"a": np.float32(0.5), "b": np.int64(3), "c": np.arange(2), "d": Path("x")}
    content = to_json_dict(replace(plain, manifest=facts))
    assert content["manifest"] == {"a": 0.5, "b": 3, "c": [0, 1], "d": "x"}
    json.dumps(content, allow_nan=False)


def test_unknown_fields_are_passed_over_and_missing_defaults_filled(plain: Results) -> None:
    content = json.loads(json.dumps(to_json_dict(plain)))
    content["of_a_later_version"] = 1
    content["verdicts"][0]["of_a_later_version"] = 1
    del content["warnings"]
    again = from_json_dict(content)
    assert again.warnings == ()
    assert again.verdicts == plain.verdicts[:2] + again.verdicts[2:]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (None, "CV450", "no results"),
        ("{", "CV451", "no checksum"),
        ("", "CV451", "empty"),
        (json_text({"schema": "causalvae/results-v9"}), "CV451", "results-v9"),
        (json_text({"schema": SCHEMA}), "CV451", "name"),
        (json_text({"schema": SCHEMA, "name": 3}), "CV451", "str was expected"),
    ],
)
def test_unreadable_results_name_code_and_reason(tmp_path: Path, text: str | None, code: str, words: str) -> None:
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(CausalVAEError) as caught:
        load_results(tmp_path)
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.remedy


def test_another_file_is_not_taken_for_damaged_results(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("spec: causalvae/v1\n")
    with pytest.raises(CausalVAEError, match=r"spec\.yaml holds no results") as caught:
        load_results(tmp_path / "spec.yaml")
    assert caught.value.code == "CV450" and "folder" in caught.value.remedy


def test_a_status_that_does_not_exist_is_refused(plain: Results) -> None:
    content = json.loads(json.dumps(to_json_dict(plain)))
    content["verdicts"][0]["status"] = "perhaps"
    with pytest.raises(ValueError, match="perhaps"):
        from_json_dict(content)


@pytest.mark.parametrize(("key", "value"), [("edge", ["scale"]), ("component", None), ("owners", None)])
def test_pictures_that_are_not_of_the_format_are_refused(key: str, value: object, plain: Results) -> None:
    content = to_json_dict(with_pictures(plain, "00"))
    assert from_json_dict(content).pictures is not None
    content["pictures"]["shown"][0][key] = value
    with pytest.raises((TypeError, ValueError)):
        from_json_dict(content)
