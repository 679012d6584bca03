"""Tables in Parquet files: types, index, factors with and without a grid, and refusals."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causalvae.data.dataset import open_dataset
from causalvae.data.kinds.csv import CsvData
from causalvae.data.kinds.parquet import ParquetData
from causalvae.errors import CausalVAEError

GRID = pd.DataFrame(list(product((0.5, 1.25, 4.0), ("a", "b"))), columns=["dose", "cell"]).assign(
    gene_1=[0, 10, 20, 30, 40, 50], gene_2=np.arange(6, dtype=np.float32)[::-1]
)


def parquet(folder: Path, table: pd.DataFrame = GRID, **keys):
    table.to_parquet(folder / "t.parquet")
    section = {"source": "parquet", "path": "t.parquet", "inputs": ("gene_*",), "factors": ["dose", "cell"], **keys}
    return open_dataset(ParquetData.model_validate(section), folder)


def test_it_gives_what_the_same_table_gives_as_csv(tmp_path):
    GRID.to_csv(tmp_path / "t.csv")
    keys = {"path": "t.csv", "inputs": ("gene_*",), "factors": ["dose", "cell"]}
    text = open_dataset(CsvData.model_validate({"source": "csv", **keys}), tmp_path)
    found = parquet(tmp_path)
    assert found.space == text.space
    rows = found.space.levels_of(np.arange(6))
    assert np.array_equal(found.inputs(rows), text.inputs(rows))
    assert found.columns == text.columns
    moved = found.intervene(rows, "dose", np.full(6, 4.0), "hold")
    assert set(found.values(moved)[:, 0]) == {4.0}


def test_types_are_those_of_the_file(tmp_path):
    table = GRID.assign(
        code=["01", "1", "01", "1", "01", "1"], kind=pd.Categorical(list("xyxyxy")), flag=[True, False] * 3,
        money=[Decimal("1.5"), Decimal("2.5")] * 3,
    )  # fmt: skip
    dataset = parquet(tmp_path, table, inputs=("flag", "money"), factors=["code", "kind"])
    assert [factor.labels for factor in dataset.space.factors] == [("01", "1"), ("x", "y")]
    assert dataset.inputs(np.array([[0], [1]])).tolist() == [[1, 0], [0, 1]]
    assert parquet(tmp_path, table, inputs=("money",), scale="none").columns.names == ("money",)


def test_the_index_of_pandas_is_no_input(tmp_path):
    table = GRID[["gene_1", "gene_2"]].set_index(pd.Index([5, 3, 8, 1, 2, 9], name="row"))
    dataset = parquet(tmp_path, table, inputs=("*",), factors=[])
    assert dataset.columns.names == ("gene_1", "gene_2")
    assert "row" in dataset.describe()["index"]
    assert parquet(tmp_path, table, inputs=("row",), factors=[]).columns.names == ("row",)


@pytest.mark.parametrize(
    ("table", "keys", "code", "said"),
    [
        (GRID, {"inputs": ("gene_3",)}, "CV234", "gene_3"),
        (GRID, {"factors": ["dosis"]}, "CV234", "dosis"),
        (GRID, {"inputs": ("cell",), "factors": []}, "CV235", "text"),
        (GRID.assign(gene_1=[0, 1, None, 3, 4, 5]), {}, "CV235", "sample 2"),
        (GRID.assign(cell=["a", None, *"abab"]), {}, "CV235", "sample 1"),
        (GRID.assign(dose=[np.nan, *range(5)]), {}, "CV235", "sample 0"),
        (GRID.assign(gene_1=pd.Timestamp("2020-01-01")), {}, "CV235", "datetime"),
        (GRID.assign(dose=pd.Timestamp("2020-01-01")), {}, "CV236", "datetime"),
        (GRID.iloc[:0], {}, "CV231", "0 and"),
    ],
)
def test_other_tables_are_refused(tmp_path, table, keys, code, said):
    with pytest.raises(CausalVAEError) as caught:
        parquet(tmp_path, table, **keys)
    assert caught.value.code == code
    assert said in caught.value.message


def test_damaged_files_are_refused(tmp_path):
    GRID.to_parquet(tmp_path / "w.parquet")
    whole = (tmp_path / "w.parquet").read_bytes()
    section = ParquetData.model_validate({"source": "parquet", "path": "t.parquet", "inputs": ("gene_*",)})
    for content in (whole[:-9], b"a,b\n1,2\n", b""):
        (tmp_path / "t.parquet").write_bytes(content)
        with pytest.raises(CausalVAEError) as caught:
            open_dataset(section, tmp_path)
        assert caught.value.code == "CV231"
    assert ParquetData.recognise(tmp_path / "t.parquet") == {}
    assert ParquetData.recognise(tmp_path / "t.csv") is None


def test_columns_of_text_are_recognised_as_factors(tmp_path):
    table = GRID.assign(kind=GRID["cell"].astype("category")).rename(columns={"cell": "cell type"})
    table.set_index(pd.Index(list("abcdef"), name="barcode")).to_parquet(tmp_path / "t.parquet")
    assert ParquetData.recognise(tmp_path / "t.parquet") == {
        "factors": {"cell_type": {"column": "cell type"}, "kind": {"column": "kind"}}
    }
    assert ParquetData.recognise(tmp_path / "t.csv") is None
