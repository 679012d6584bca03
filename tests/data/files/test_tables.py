"""Tables as programs write them: index columns, separators, decimals, text that looks like numbers, odd headers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causalvae.data.dataset import open_dataset
from causalvae.data.kinds.csv import CsvData
from causalvae.errors import CausalVAEError

CASE = Path(__file__).resolve().parents[3].parent / "shared" / "cases" / "data" / "pandas_index.csv"


def table(tmp_path: Path, text: str | bytes, **keys):
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    section = {"source": "csv", "path": "t.csv", "scale": "none", **keys}
    return open_dataset(CsvData.model_validate(section), tmp_path)


def refusal(tmp_path: Path, text: str | bytes, **keys) -> CausalVAEError:
    with pytest.raises(CausalVAEError) as caught:
        table(tmp_path, text, **keys)
    assert caught.value.place.endswith("t.csv")
    assert caught.value.remedy
    return caught.value


def rows_of(dataset) -> np.ndarray:
    return dataset.inputs(np.arange(dataset.size)[:, None]).numpy()


def labels_of(dataset, factor: str) -> list[str]:
    """Each sample's level, as its label."""
    column = dataset.space.position(factor)
    values = dataset.values(np.arange(dataset.size)[:, None])[:, column]
    return [dataset.space[factor].labels[int(value)] for value in values]


def test_the_case_of_an_unnamed_index_and_text_factors():
    if not CASE.is_file():
        pytest.skip("../shared/cases/data/pandas_index.csv is absent")
    keys = {"factors": ["dose", "batch", "kind"], "scale": "none"}
    dataset = open_dataset(CsvData.model_validate({"source": "csv", "path": CASE.name, **keys}), CASE.parent)
    assert dataset.columns.names == ("gene_1", "gene_2")
    assert np.allclose(rows_of(dataset), [[0.2, 0.4], [0.1, 0.9], [0.7, 0.3], [0.5, 0.8]])
    assert labels_of(dataset, "batch") == ["01", "1", "01", "1"]
    assert labels_of(dataset, "kind") == ["NA", "None", "a", "b"]
    assert dataset.space["dose"].kind == "ordinal"


FRAME = pd.DataFrame({"gene_1": [0.25, -1.5, 3e-5], "gene_2": [1.0, 2.0, 3.0], "cell": ["a", "b ", "c,d"]})


@pytest.mark.parametrize(
    "write",
    [
        {},
        {"index": False},
        {"sep": ";", "decimal": ","},
        {"sep": "\t"},
        {"sep": "|", "index": False},
        {"encoding": "utf-8-sig"},
        {"lineterminator": "\r\n"},
        {"quoting": 1},
    ],
)
def test_what_pandas_writes_is_read_as_pandas_has_it(tmp_path, write):
    FRAME.to_csv(tmp_path / "w.csv", **write)
    keys = {"separator": write.get("sep", ","), "decimal": write.get("decimal", ".")}
    dataset = table(tmp_path, (tmp_path / "w.csv").read_bytes(), factors=["cell"], **keys)
    assert dataset.columns.names == ("gene_1", "gene_2")
    assert np.allclose(rows_of(dataset), FRAME[["gene_1", "gene_2"]])
    assert labels_of(dataset, "cell") == ["a", "b", "c,d"]


def test_an_index_written_twice_and_one_without_a_name_are_no_inputs(tmp_path):
    once = FRAME.drop(columns="cell").to_csv()
    twice = pd.read_csv(io.StringIO(once)).to_csv()
    thrice = pd.read_csv(io.StringIO(twice)).to_csv()
    for text in (once, twice, thrice, '"gene_1" "gene_2"\n"r1" 0.25 1\n"r2" -1.5 2\n"r3" 3e-05 3\n'):
        dataset = table(tmp_path, text, separator=" " if text.startswith('"') else ",")
        assert dataset.columns.names == ("gene_1", "gene_2")
        assert np.allclose(rows_of(dataset), FRAME[["gene_1", "gene_2"]])
        assert "Unnamed: 0" in dataset.describe()["index"]


def test_an_index_can_be_named(tmp_path):
    text = FRAME.drop(columns="cell").set_axis(["x", "y", "z"]).to_csv()
    dataset = table(tmp_path, text, factors={"row": {"column": "Unnamed: 0"}})
    assert labels_of(dataset, "row") == ["x", "y", "z"]
    assert dataset.input_shape == (2,)


def test_empty_columns_at_the_end_and_empty_lines_are_left_out(tmp_path):
    dataset = table(tmp_path, "\na,b,,\n1,2,,\n\n3,4,,\n  \n")
    assert dataset.columns.names == ("a", "b")
    assert rows_of(dataset).tolist() == [[1, 2], [3, 4]]
    assert rows_of(table(tmp_path, "a,b\n1,2,\n3,4,\n")).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("entries", "labels"),
    [
        (["NA", "None", "a", "nan"], ["NA", "None", "a", "nan"]),
        (["NA", "null", "NA", "N/A"], ["NA", "null", "NA", "N/A"]),
        (["01", "1", "2", "10"], ["01", "1", "2", "10"]),
        (["001", "002", "003", "004"], ["001", "002", "003", "004"]),
        (["01", "1", "NA", "2"], ["01", "1", "NA", "2"]),
        (["1", "1.0", "2", "2"], ["1", "1.0", "2", "2"]),
        (["TRUE", "FALSE", "TRUE", "FALSE"], ["TRUE", "FALSE", "TRUE", "FALSE"]),
        (["2024-01-02", "2024-01-03", "1e5x", "1_000"], ["2024-01-02", "2024-01-03", "1e5x", "1_000"]),
        ([" a", "a ", '"a"', '"a\nb"'], ["a", "a", "a", "a\nb"]),
        (["0x10", "1", "٣", "2"], ["0x10", "1", "٣", "2"]),
    ],
)
def test_text_stays_text(tmp_path, entries, labels):
    # Each twice, so that the levels make no grid and a sample is a line.
    text = "kind,x\n" + "".join(f"{entry},{k}\n" for k, entry in enumerate([*entries, *entries]))
    dataset = table(tmp_path, text, factors=["kind"])
    assert dataset.space["kind"].kind == "categorical"
    assert labels_of(dataset, "kind") == [*labels, *labels]


def test_numbers_stay_numbers(tmp_path):
    text = "dose,x\n0.5,1\n.50,2\n1e1,3\n+2,4\n"
    dataset = table(tmp_path, text, factors=["dose"])
    assert dataset.space["dose"].kind == "continuous"
    assert dataset.values(np.arange(4)[:, None])[:, 0].tolist() == [0.5, 0.5, 10, 2]
    padded = table(tmp_path, "day,x\n01,1\n1,2\n03,3\n", factors={"day": {"kind": "ordinal"}})
    assert padded.values(np.arange(3)[:, None])[:, 0].tolist() == [1, 1, 3]


def test_declared_categories_are_text_in_the_order_of_their_numbers(tmp_path):
    text = "dose,x\n10,1\n2,2\n2.0,3\nNA,4\nNA,5\n"
    dataset = table(tmp_path, text, factors={"dose": {"kind": "categorical"}})
    assert dataset.space["dose"].labels == ("2", "2.0", "10", "NA")
    assert labels_of(dataset, "dose") == ["10", "2", "2.0", "NA", "NA"]


@pytest.mark.parametrize("gap", ["NA", "nan", "None", "inf", "1e999", "-Infinity"])
@pytest.mark.parametrize("scale", ["none", "found", [0, 1]])
def test_gaps_among_numbers_are_refused_with_their_place(tmp_path, gap, scale):
    error = refusal(tmp_path, f"dose,x\n1,1\n2,2\n{gap},3\n", factors=["dose"], scale=scale)
    assert error.code == "CV235"
    assert f"Factor dose is {gap} in sample 2" in error.message
    error = refusal(tmp_path, f"dose,x\n1,1\n2,{gap}\n3,3\n", factors=["dose"], scale=scale)
    assert error.code == "CV235"
    assert "Column x" in error.message
    assert "sample 1" in error.message


def test_the_number_of_gaps_is_given(tmp_path):
    error = refusal(tmp_path, "dose,x\n1,1\n2,\n3,\n4,\n", factors=["dose"])
    assert "in sample 1 (counted from 0), and in 2 more: it is empty" in error.message
    error = refusal(tmp_path, "dose,x\n1,1\n,2\n,3\n", factors=["dose"])
    assert "Factor dose is empty in sample 1 (counted from 0), and in 1 more." in error.message


def test_an_input_that_single_precision_cannot_hold_is_refused(tmp_path):
    assert "sample 1" in refusal(tmp_path, "x\n1\n1e300\n").message
    assert rows_of(table(tmp_path, "x\n1\n1e300\n", scale="found")).tolist() == [[0], [1]]
    assert refusal(tmp_path, "x\n1e308\n-1e308\n", scale="found").code == "CV235"


@pytest.mark.parametrize("other", ["9" * 400, "1", "0.5"])
@pytest.mark.parametrize("scale", ["none", "found"])
def test_whole_numbers_of_hundreds_of_digits_are_refused(tmp_path, other, scale):
    error = refusal(tmp_path, f"x\n{other}\n{'9' * 400}\n", scale=scale)
    assert error.code == "CV235"
    assert "Column x" in error.message


def test_large_numbers_are_scaled_before_they_lose_digits(tmp_path):
    dataset = table(tmp_path, "x\n1700000000\n1700000001\n1700000004\n", scale="found")
    assert rows_of(dataset)[:, 0].tolist() == [0, 0.25, 1]


@pytest.mark.parametrize("written", [";", "\t", "|", " "])
@pytest.mark.parametrize("declared", [",", ";"])
def test_another_separator_is_named(tmp_path, written, declared):
    if written == declared:
        return
    text = "a,b,c\n1.5,2,3\n4,5,6\n".replace(",", written)
    error = refusal(tmp_path, text, separator=declared)
    assert error.code == "CV231"
    said = {"\t": '"\\t"', " ": "' '"}.get(written, f"'{written}'")
    assert f"`separator: {said}`" in error.remedy
    table(tmp_path, text, separator=written)


def test_a_comma_within_numbers_is_named(tmp_path):
    text = "a;b\n1,5;2,25\n3;4\n"
    assert "`separator: ';'` and `decimal: ','`" in refusal(tmp_path, text).remedy
    error = refusal(tmp_path, text, separator=";")
    assert error.code == "CV235"
    assert "`decimal: ','`" in error.remedy
    dataset = table(tmp_path, text, separator=";", decimal=",", inputs=["b"], factors=["a"])
    assert rows_of(dataset).tolist() == [[2.25], [4]]
    assert dataset.values(np.array([[0], [1]])).tolist() == [[1.5], [3]]


def test_only_duplicate_names_that_are_read_are_refused(tmp_path):
    text = "a,note,note\n1,x,y\n2,x,y\n"
    assert rows_of(table(tmp_path, text, inputs=["a"])).tolist() == [[1], [2]]
    error = refusal(tmp_path, text, factors=["note"], inputs=["a"])
    assert error.code == "CV231"
    assert "'note' twice" in error.message
    assert "data.factors.note" in error.remedy


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (FRAME.to_csv().encode("utf-16"), "UTF-8"),
        ("a,b\n1,\xe9\n".encode("latin-1"), "UTF-8"),
        ("\n\n", "nothing"),
        ("a,b\n", "none"),
        ("a,b\n1,2,3\n4,5\n", "2 in line 3"),
        ('a,b\n1,"2\n', "EOF inside string"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, found):
    error = refusal(tmp_path, text)
    assert error.code == "CV231"
    assert found in error.message
