"""A few cases of the fuzzers of images, tables and arrays, and what they notice."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.data.files import own_images, own_table
from tests.fuzz.data_case import DataCase, read_cases
from tests.fuzz.data_files import fuzz_data_files
from tests.fuzz.images import fuzz_images


def test_images_give_right_values_or_an_error_with_a_code() -> None:
    counts = fuzz_images(200, seed=1)
    assert [failure for found in counts.values() for failure in found.failures] == []
    assert set(counts) == {"whole", "cut", "damaged", "wrong suffix", "several pictures", "huge"}
    assert counts["whole"].accepted == counts["whole"].tried == 60
    assert counts["cut"].refused > 0 < counts["damaged"].refused
    assert all(counts[kind].refused == 20 for kind in ("wrong suffix", "several pictures", "huge"))


def test_tables_and_arrays_give_right_values_or_an_error_with_a_code() -> None:
    counts = fuzz_data_files(240, seed=1)
    assert [failure for found in counts.values() for failure in found.failures] == []
    for source in ("csv", "npz"):
        assert counts[f"{source}: whole"].accepted == counts[f"{source}: whole"].tried == 40
        assert counts[f"{source}: no numbers"].refused == 20
        assert counts[f"{source}: damaged"].refused > 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda *_: 1 / 0, "CV237"),
        (lambda picture, *_: np.full((8, 8, 3), 0.5, np.float32), "values are off by"),
        (lambda picture, *_: np.full((8, 8, 3), np.nan, np.float32), "not finite"),
    ],
)
def test_wrong_pictures_are_noticed(monkeypatch: pytest.MonkeyPatch, wrong, said: str) -> None:
    monkeypatch.setattr(own_images, "read_picture", wrong)
    counts = fuzz_images(1, seed=0)
    (failure,) = counts["whole"].failures
    assert said in failure


def test_wrong_columns_and_foreign_exceptions_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(own_table, "_scale_of", lambda *_: (0.0, 3.0))
        (failure,) = fuzz_data_files(1, seed=0)["csv: whole"].failures
        assert "other numbers" in failure

    def crash(inputs: np.ndarray, data: object) -> str:
        return "never right"

    case = DataCase("csv", "two lines", {"t.csv": b"a\n1\n"}, {"source": "csv", "path": "t.csv"}, "refused", crash)
    (failure,) = read_cases(iter([case]))["csv"].failures
    assert failure == "two lines: accepted: never right"
