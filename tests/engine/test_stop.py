"""Attributes that are latents, and runs that end there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from causalvae.engine.execute import execute_plan
from causalvae.engine.forecast import forecast
from causalvae.engine.runner import PlanRunner
from causalvae.models.loading import Model
from causalvae.models.operators import OperatorGraph
from causalvae.plan.passes import PASSES, optimise
from causalvae.plan.types import OBSERVED, Arm, Cohort, Patch, Plan, Treatment
from causalvae.spec.value_source import make_source
from tests.engine.conftest import Blobs

PAIRS = 18
COHORTS = (Cohort(OBSERVED, 9, 3), Cohort("resize", PAIRS, 5, Treatment("resize", "scale", None, "hold", "increase")))


def nothing(images: Tensor) -> Tensor:
    return torch.empty((len(images), 0), dtype=torch.float64)


def sweep(model: Model, attributes: tuple[str, ...], latents: dict[str, int], passes: tuple[str, ...]) -> Plan:
    swap = make_source("interchange")
    arms = [Arm("resize", side, (), PAIRS) for side in ("base", "counterfactual")]
    for name, units in (("encoder.conv1", 6), ("encoder.lin1", 20), ("latent", 4), ("decoder.lin1", 2)):
        arms += [Arm("resize", "base", (Patch(name, (unit,), swap),), PAIRS) for unit in range(units)]
    plan = Plan("p", "s", "m", COHORTS, tuple(arms), (), attributes, latent_attributes=latents, shard_pairs=7)
    return optimise(plan, model.components, passes)


WITHOUT = tuple(name for name in PASSES if name != "stop")


def test_runs_that_stop_give_the_same_latents(mean_model: Model, tmp_path: Path) -> None:
    names, latents = ("z3", "z0"), {"z3": 3, "z0": 0}
    found = {}
    for label, passes in (("stop", tuple(PASSES)), ("on", WITHOUT), ("plain", ())):
        plan = sweep(mean_model, names, latents, passes)
        found[label] = execute_plan(plan, mean_model, Blobs(), nothing, tmp_path / label, "cpu")
    moved = 0
    for arm in found["stop"].plan.arms:
        for name in names:
            stopped = found["stop"].values(arm.id, name)
            np.testing.assert_array_equal(stopped, found["on"].values(arm.id, name))
            np.testing.assert_allclose(stopped, found["plain"].values(arm.id, name), atol=1e-6)
            moved += int((stopped != found["stop"].values(found["stop"].plan.arms[0].id, name)).sum())
        assert np.isnan(found["stop"].values(arm.id, "image_sq")).all()
        assert np.isfinite(found["on"].values(arm.id, "image_sq")).all()
    assert moved > 100


def test_a_latent_attribute_is_what_the_decoder_receives(mean_model: Model, tmp_path: Path) -> None:
    plan = sweep(mean_model, ("z1",), {"z1": 1}, tuple(PASSES))
    found = execute_plan(plan, mean_model, Blobs(), nothing, tmp_path, "cpu")
    seen = found.observations
    np.testing.assert_array_equal(seen["attribute:z1"], seen["latent:1"])
    inputs = PlanRunner(plan, mean_model, Blobs(), nothing, torch.device("cpu")).shard("resize", 0, PAIRS).sides
    for side, arm in zip(("base", "counterfactual"), plan.arms, strict=False):
        with torch.inference_mode():
            expected = mean_model.vae.encode(inputs[side]).mean[:, 1]
        np.testing.assert_allclose(found.values(arm.id, "z1"), expected.numpy(), atol=1e-6)
    own = next(
        arm for arm in plan.arms if arm.patches and arm.patches[0] == Patch("latent", (1,), make_source("interchange"))
    )
    np.testing.assert_array_equal(found.values(own.id, "z1"), found.values(plan.arms[1].id, "z1"))


def test_attributes_of_both_kinds_stand_in_the_specs_order(
    mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    names = ("area", "z2", "random", "contrast")
    mixed = sweep(mean_model, names, {"z2": 2}, tuple(PASSES))
    assert mixed.outputs == ("latent", "output")
    plain = replace(mixed, attributes=("area", "random", "contrast"), latent_attributes={})
    left = execute_plan(mixed, mean_model, Blobs(), measure, tmp_path / "mixed", "cpu")
    right = execute_plan(plain, mean_model, Blobs(), measure, tmp_path / "plain", "cpu")
    for arm in mixed.arms:
        for name in (*plain.attributes, "image_sq", "image_dot"):
            np.testing.assert_array_equal(left.values(arm.id, name), right.values(arm.id, name))
    assert left.observations["attribute:area"].equals(right.observations["attribute:area"])
    assert left.observations["input:contrast"].equals(right.observations["input:contrast"])


def test_the_decoder_is_not_run(mean_model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = sweep(mean_model, ("z0",), {"z0": 0}, tuple(PASSES))
    asked: list[set[str]] = []
    between = OperatorGraph.between

    def watch(self: OperatorGraph, patched: Iterable[str], requested: Iterable[str]) -> object:
        steps = between(self, patched, requested)
        # A clean run begins at the inputs.
        if set(patched) != set(self.inputs):
            asked.append({operation.name for operation in steps})
        return steps

    monkeypatch.setattr(OperatorGraph, "between", watch)
    runner = PlanRunner(plan, mean_model, Blobs(), nothing, torch.device("cpu"))
    inputs = runner.shard("resize", 0, 7)
    with torch.inference_mode():
        runner.run(inputs, [arm for arm in plan.arms if arm.patches], {}, lambda rows, effort: None)
    assert asked
    assert not any(name.startswith("conv_transpose2d") for names in asked for name in names)
    found = forecast(plan, PlanRunner(plan, mean_model, Blobs(), nothing, torch.device("cpu")), 1)
    assert found.passes["stop"].flops < 0.3 * found.passes["suffix"].flops
    (record,) = [record for record in plan.passes if record.name == "stop"]
    assert 0 < record.flops_after < 0.6 * record.flops_before
