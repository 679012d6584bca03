"""Forecasts against what is then measured, and costs against a count by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from causalvae.costs import measured_rows, predicted_rows, side_by_side
from causalvae.engine.execute import execute_plan
from causalvae.engine.forecast import Forecast, forecast
from causalvae.engine.runner import PlanRunner
from causalvae.models.components import ComponentMap, OperationCost, Site
from causalvae.models.loading import Model
from causalvae.plan.cost import arm_cost, plan_cost
from causalvae.plan.owner import Owner
from causalvae.plan.passes import optimise
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan, Treatment, Use
from causalvae.spec.value_source import make_source
from tests.engine.conftest import Blobs

PAIRS = 20
RESIZE = Cohort("resize", PAIRS, 5, Treatment("resize", "scale", None, "hold", "increase"))


def sweep(model: Model) -> Plan:
    """Every unit of the layers with a ReLU, one layer whole, and both clean runs; one arm is asked for twice."""
    swap = make_source("interchange")
    arms = [Arm("resize", "base", (), PAIRS), Arm("resize", "counterfactual", (), PAIRS)]
    for name in ("encoder.conv1", "encoder.lin1", "decoder.lin2", "decoder.convT1"):
        site = model.components.site(name)
        arms += [Arm("resize", "base", (Patch(name, (unit,), swap),), PAIRS) for unit in range(site.units)]
    arms.append(Arm("resize", "counterfactual", (Patch("latent", None, swap),), PAIRS - 7))
    plan = Plan(
        name="sweep",
        spec_digest="s",
        model_digest="small",
        cohorts=(Cohort(OBSERVED, 10, 3), RESIZE),
        arms=(*arms, arms[-1]),
        uses=tuple(
            Use(Owner.intervention("sweep"), "sweep", arm.id, index=i) for i, arm in enumerate([*arms, arms[-1]])
        ),
        attributes=("area", "random", "contrast"),
        options=Options(rerun="full", skip_dead_rows=False, low_rank=False, windows=False),
    )
    return optimise(plan, model.components)


def foretell(model: Model, measure: Callable[[Tensor], Tensor], **options: object) -> tuple[Plan, Forecast]:
    plan = sweep(model)
    runner = PlanRunner(plan, model, Blobs(), measure, torch.device("cpu"))
    return plan, forecast(plan, runner, 2, **options)  # type: ignore[arg-type]


def test_all_pairs_sampled_tell_the_live_rows_exactly(
    mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    plan, found = foretell(mean_model, measure, sample_pairs=PAIRS)
    execute_plan(plan, mean_model, Blobs(), measure, tmp_path, "cpu")
    measured = measured_rows(tmp_path)
    rows = side_by_side(predicted_rows(found), measured)
    patched = [row for row in rows if row.arms]
    assert len(patched) == 5
    for row in patched:
        assert row.predicted_live == pytest.approx(row.live), row.sites
    assert sum(row.live or 0 for row in patched) < sum(row.rows for row in patched)
    assert rows[-2].live == rows[-2].predicted_live == 10 + 2 * PAIRS
    assert all(row.seconds is not None and row.seconds > 0 for row in rows)


def test_measured_live_rows_are_those_of_the_outcome_table(
    mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    plan = replace(sweep(mean_model), shard_pairs=8)
    found = execute_plan(plan, mean_model, Blobs(), measure, tmp_path, "cpu")
    patched = [row for row in measured_rows(tmp_path) if row.arms]
    assert sum(row.live or 0 for row in patched) == int(found.outcomes["live"].sum())
    assert sum(row.rows for row in patched) == sum(arm.pairs for arm in plan.arms if arm.patches)


def test_each_pass_leaves_less_to_do(mean_model: Model, measure: Callable[[Tensor], Tensor]) -> None:
    plan, found = foretell(mean_model, measure)
    assert list(found.passes) == ["none", *(record.name for record in plan.passes)]
    # Packing leaves nothing out: it says how much is done at once.
    assert found.passes["pack"] == found.passes["windows"]
    works = list(found.passes.values())
    for earlier, later in pairwise(works):
        assert later.rows <= earlier.rows + 1e-9
        assert later.flops <= earlier.flops * (1 + 1e-9)
    whole = sum(operation.flops for operation in mean_model.components.operations)
    patched = sum(arm.pairs for arm in plan.arms if arm.patches)
    assert found.passes["share"].rows == patched
    assert found.passes["share"].flops == pytest.approx(patched * whole)
    assert found.passes["none"].rows == patched + PAIRS - 7
    # Before dead rows are left out and values shrink, what is re-run can be counted on paper.
    assert found.passes["suffix"].flops == pytest.approx(
        sum(arm.pairs * arm_cost(arm, mean_model.components, "suffix") * whole for arm in plan.arms if arm.patches)
    )
    assert found.passes["windows"].flops < 0.5 * found.passes["dead_rows"].flops
    assert found.total.rows == pytest.approx(found.clean.rows + works[-1].rows)
    assert found.memory > 0


def test_a_low_rank_entry_costs_its_channels_share(mean_model: Model, measure: Callable[[Tensor], Tensor]) -> None:
    """One of the 20 units of encoder.lin1 enters encoder.head: a twentieth of that product, the decoder in full."""
    _, found = foretell(mean_model, measure)
    (group,) = [group for group in found.groups if group.sites == ("encoder.lin1",)]
    before, after = group.work["dead_rows"], group.work["low_rank"]
    head = 2 * 20 * 8
    assert (before.flops - after.flops) / after.rows == pytest.approx(head * 19 / 20)


def test_parallel_branches_are_both_counted() -> None:
    """Two branches that meet: patching one site of each re-runs both, what follows only once."""
    operations = tuple(
        OperationCost(name, flops, 1.0) for name, flops in (("a", 4.0), ("b", 3.0), ("sum", 2.0), ("c", 1.0))
    )
    components = ComponentMap(
        (
            Site("left", "encoder", "Linear", (3,), "l", True, 0.6, frozenset({0, 2})),
            Site("right", "encoder", "Linear", (3,), "r", True, 0.5, frozenset({1, 2})),
        ),
        2,
        "m",
        operations,
    )
    swap = make_source("interchange")
    both = Arm("c", "base", (Patch("left", None, swap), Patch("right", None, swap)), 5)
    assert arm_cost(both, components, "suffix") == pytest.approx((4 + 3 + 2) / 10)
    assert arm_cost(both, components, "full") == 1.0
    plan = Plan("p", "s", "m", (Cohort("c", 5, 0),), (both,), (), ("area",), options=Options(rerun="suffix"))
    cost = plan_cost(plan, components)
    assert (cost.rows, cost.forwards, cost.flops, cost.bytes) == (5, pytest.approx(4.5), 45, 15)


def test_flops_are_those_of_the_closed_forms(mean_model: Model) -> None:
    """Multiply-adds times two: a kernel for each output of a convolution, for each input of a transposed one."""
    flops = {operation.name: operation.flops for operation in mean_model.components.operations}
    assert flops["conv2d"] == 2 * (6 * 6 * 6) * (1 * 3 * 3)
    assert flops["conv2d_1"] == 2 * (8 * 3 * 3) * (6 * 3 * 3)
    assert flops["linear"] == 2 * 72 * 20
    assert flops["conv_transpose2d"] == 2 * (8 * 3 * 3) * (6 * 4 * 4)
    assert flops["relu"] == 6 * 6 * 6
