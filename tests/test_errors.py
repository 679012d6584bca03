"""A user's error survives the way from one process to another."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from causalvae.errors import CausalVAEError, first_line
from causalvae.spec import SpecError, load_spec


def test_an_error_is_the_same_after_pickling() -> None:
    error = CausalVAEError("CV404", "message", "remedy", "place")
    for copied in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(copied) is CausalVAEError
        assert str(copied) == str(error)
        assert copied.args == error.args
        assert vars(copied) == vars(error)


def test_a_refused_spec_keeps_its_diagnostics(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("spec: causalvae/v1\n")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    copied = pickle.loads(pickle.dumps(caught.value))
    assert type(copied) is SpecError
    assert copied.diagnostics == caught.value.diagnostics
    assert copied.render() == caught.value.render()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n  one\ntwo"), "one"),
        (KeyError(), "KeyError"),
        (OSError("  "), "OSError"),
    ],
)
def test_the_first_line_of_an_error_is_never_empty(error: Exception, expected: str) -> None:
    assert first_line(error) == expected
