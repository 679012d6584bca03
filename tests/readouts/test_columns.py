"""Readouts of columns: addressed by name, in the table's own units."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from causalvae.errors import CausalVAEError
from causalvae.readouts import build_readouts, measure
from causalvae.spec.columns import Columns
from causalvae.spec.readout_section import READOUT_TAG

COLUMNS = Columns(("gene_1", "gene_2", "age"), (-3.0, 1e6, 20.0), (2e-9, 4e6, 60.0))
OUTPUTS = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
NATURAL = np.array(COLUMNS.offset) + np.array(COLUMNS.span) * OUTPUTS.double().numpy()


def read(columns=COLUMNS, **section) -> tuple[np.ndarray, str]:
    readouts = build_readouts({"it": READOUT_TAG.read(section)}, None, columns)
    return measure(readouts, OUTPUTS)[:, 0].numpy(), readouts["it"].unit


@pytest.mark.parametrize(
    ("section", "columns", "unit"),
    [
        ({"readout": "column", "column": "age"}, [2], "units of age"),
        ({"readout": {"column": "age"}}, [2], "units of age"),
        ({"readout": "column", "index": 1}, [1], "units of gene_2"),
        ({"readout": "column", "column": "gene_*"}, [0, 1], "units of gene_*"),
        ({"readout": "mean"}, [0, 1, 2], "mean of all columns"),
    ],
)
def test_a_column_is_read_in_its_own_units(section, columns, unit):
    found, named = read(**section)
    assert named == unit
    assert np.allclose(found, NATURAL[:, columns].mean(axis=1), rtol=1e-7)


def test_small_units_are_not_rounded_away():
    columns = Columns(("a", "b", "c"), (0.0, 0.0, 0.0), (1e-12, 2e-12, 3e-12))
    found, _ = read(columns, readout="column", column="*")
    assert np.allclose(found, OUTPUTS.double().numpy() @ [1e-12, 2e-12, 3e-12] / 3, rtol=1e-6)


def test_columns_that_are_not_scaled_are_read_as_they_are():
    found, _ = read(Columns.unscaled(("a", "b", "c")), readout="column", column="b")
    assert np.array_equal(found, OUTPUTS[:, 1].double().numpy())
    found, unit = read(None, readout="column", index=2)
    assert np.array_equal(found, OUTPUTS[:, 2].double().numpy())
    assert unit == "units of 2"


def test_an_effect_has_a_gradient_in_the_same_units():
    readouts = build_readouts({"it": READOUT_TAG.read({"readout": "column", "column": "gene_2"})}, None, COLUMNS)
    outputs = OUTPUTS.clone().requires_grad_()
    measure(readouts, outputs).sum().backward()
    assert torch.allclose(outputs.grad, torch.tensor([0.0, 4e6, 0.0]).expand(50, 3))


def test_a_column_that_the_data_lacks_is_refused_with_near_names():
    with pytest.raises(CausalVAEError, match="gene_3") as caught:
        read(readout="column", column="gene_3")
    assert caught.value.code == "CV229"
    assert "gene_1" in caught.value.remedy
