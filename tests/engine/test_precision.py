"""Coarser numbers where a spec asks for them, and only there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from causalvae.engine.execute import execute_plan
from causalvae.engine.precision import matrix_precision
from causalvae.models.loading import Model
from causalvae.plan.controls import add_controls
from tests.engine.conftest import Blobs
from tests.engine.test_forecast import sweep


def switches() -> list[object]:
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    if hasattr(products, "fp32_precision"):
        return [products.fp32_precision, convolutions.conv.fp32_precision]
    return [products.allow_tf32, convolutions.allow_tf32]


@pytest.mark.parametrize(("precision", "expected"), [("float32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")])
def test_products_round_to_tf32_only_where_asked(precision: str, expected: str) -> None:
    before = switches()
    with matrix_precision(precision):
        assert switches() in ([expected] * 2, [expected == "tf32"] * 2)
    assert switches() == before


def test_switches_go_back_after_an_error() -> None:
    before = switches()
    with pytest.raises(KeyError), matrix_precision("tf32"):
        raise KeyError
    assert switches() == before


def test_bf16_is_close_and_its_controls_hold(
    mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    plan = add_controls(sweep(mean_model), mean_model.components)
    coarse = replace(plan, options=replace(plan.options, precision="bf16"))
    assert coarse.digest != plan.digest
    fine = execute_plan(plan, mean_model, Blobs(), measure, tmp_path / "fine", "cpu")
    found = execute_plan(coarse, mean_model, Blobs(), measure, tmp_path / "coarse", "cpu")
    largest = 0.0
    for arm in plan.arms:
        expected, got = fine.values(arm.id, "area"), found.values(arm.id, "area")
        np.testing.assert_allclose(got, expected, rtol=0.05, atol=0.05 * np.abs(expected).max())
        largest = max(largest, float(np.abs(got - expected).max()))
    assert largest > 1e-5, "eight bits of mantissa cannot agree so well: float32 was run"
    controls = found.manifest["controls"]
    assert controls["self_patch"] == 0
    assert 1e-5 < controls["network"] < 5e-2
    assert next(iter(mean_model.graph.parameters.values())).dtype == torch.float32
