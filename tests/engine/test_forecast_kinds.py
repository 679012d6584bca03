"""Forecasts of plans of every kind: screened, run by hooks, not optimised, too dear to be timed, half run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import causalvae.engine.forecast as forecasting
from causalvae.costs import explain_costs, measured_rows, predicted_rows
from causalvae.engine.execute import execute_plan
from causalvae.engine.forecast import Forecast, forecast
from causalvae.engine.runner import PlanRunner
from causalvae.engine.screening import screen_label
from causalvae.engine.shards import CLEAN_RUNS, EXACT_CONTROLS, RANDOM_COPY
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked_sites import find_hooked_sites
from causalvae.models.loading import Model
from causalvae.models.operators import OperatorGraph, evaluate
from causalvae.plan.controls import add_controls
from causalvae.plan.cost import plan_cost
from causalvae.plan.owner import Owner
from causalvae.plan.passes import optimise
from causalvae.plan.restrict import restrict
from causalvae.plan.types import Arm, Controls, Options, Patch, Plan, Screen
from causalvae.spec.value_source import make_source
from tests.engine.conftest import LATENTS, SIDE, Blobs
from tests.engine.test_forecast import PAIRS, sweep

Measure = Callable[[Tensor], Tensor]
OWNER = Owner.intervention("sweep")


def foretell(plan: Plan, model: Model, measure: Measure, pairs: int = PAIRS) -> Forecast:
    return forecast(plan, PlanRunner(plan, model, Blobs(), measure, torch.device("cpu")), 2, pairs)


def raw(plan: Plan) -> Plan:
    """The plan as it was before any pass."""
    options = Options(rerun="full", skip_dead_rows=False, low_rank=False, windows=False)
    return replace(plan, options=options, passes=())


def screened(model: Model) -> Plan:
    """The units of two layers, of which three are kept and two are checked."""
    plan = sweep(model)
    layers = ("encoder.lin1", "decoder.lin2")
    arms = {arm.id: arm for arm in plan.arms if not arm.patches or arm.patches[0].site in layers}
    uses = tuple(
        replace(use, role="sweep" if arms[use.arm].patches else "base") for use in plan.uses if use.arm in arms
    )
    screen = Screen(OWNER, "base", "area", "attribution", 1, 3, 2, 0)
    return replace(plan, arms=tuple(arms.values()), uses=uses, screens=(screen,))


def test_of_a_screened_sweep_only_the_chosen_are_counted(mean_model: Model, measure: Measure, tmp_path: Path) -> None:
    plan = screened(mean_model)
    found = foretell(plan, mean_model, measure)
    execute_plan(plan, mean_model, Blobs(), measure, tmp_path, "cpu")
    measured = {(row.sites, row.side): row for row in measured_rows(tmp_path)}
    predicted = {(row.sites, row.side): row for row in predicted_rows(found)}
    (screen,) = found.screens
    assert (screen.candidates, screen.chosen) == (92, 5)
    assert sum(group.arms for group in found.groups) == 5
    # All pairs were ranked on, so the forecast chose what the run chose.
    assert {key: row.arms for key, row in predicted.items()} == {key: row.arms for key, row in measured.items()}
    key = (screen_label(OWNER), "base")
    assert predicted[key].rows == measured[key].rows
    assert predicted[key].predicted_seconds is not None
    assert predicted[key].predicted_seconds > 0
    assert found.total.rows == pytest.approx(found.clean.rows + screen.work.rows + found.passes["pack"].rows)


def test_a_network_run_by_hooks_pays_whole_passes(mean_model: Model, measure: Measure, tmp_path: Path) -> None:
    inputs = (torch.rand(3, 1, SIDE, SIDE), torch.randn(3, LATENTS))
    network = capture_by_hooks(mean_model.network, inputs, mean_model.network.outputs)
    model = replace(mean_model, graph=network, components=find_hooked_sites(network, LATENTS, "small"))
    plan = optimise(raw(sweep(mean_model)), model.components)
    found = foretell(plan, model, measure)
    execute_plan(plan, model, Blobs(), measure, tmp_path, "cpu")
    final = found.passes["pack"]
    assert final.flops == pytest.approx(final.rows * network.flops)
    assert final.forwards == pytest.approx(final.rows)
    patched = [row for row in measured_rows(tmp_path) if row.is_group]
    assert final.rows == pytest.approx(sum(row.live or 0 for row in patched))


def test_passes_that_were_not_applied_are_not_foreseen(mean_model: Model, measure: Measure) -> None:
    whole = sum(operation.flops for operation in mean_model.components.operations)
    plan = optimise(raw(sweep(mean_model)), mean_model.components, ("share", "dead_rows"))
    found = foretell(plan, mean_model, measure)
    assert list(found.passes) == ["none", "share", "dead_rows"]
    assert found.passes["dead_rows"].rows < found.passes["share"].rows
    for work in found.passes.values():
        assert work.flops == pytest.approx(work.rows * whole)
    bare = foretell(raw(sweep(mean_model)), mean_model, measure)
    assert list(bare.passes) == ["none"]
    assert bare.passes["none"].rows == found.passes["none"].rows


def test_what_is_too_dear_to_time_is_told_by_its_flops(
    mean_model: Model, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = sweep(mean_model)
    timed = foretell(plan, mean_model, measure)
    assert all(group.timed for group in timed.groups)
    monkeypatch.setattr(forecasting, "_ALLOWANCE", 0.0)
    monkeypatch.setattr(forecasting, "_ALLOWANCE_EACH", 0.0)
    poor = foretell(plan, mean_model, measure)
    # One group gives the speed at which all others are told.
    assert [group.timed for group in poor.groups].count(True) == 1
    assert poor.passes["suffix"].flops == pytest.approx(timed.passes["suffix"].flops)
    assert [group.live for group in poor.groups] == [group.live for group in timed.groups]
    assert all(group.work["pack"].seconds > 0 for group in poor.groups if group.live)


def test_a_run_that_did_not_end_is_told_as_such(mean_model: Model, measure: Measure, tmp_path: Path) -> None:
    plan = replace(raw(sweep(mean_model)), shard_pairs=8, options=replace(sweep(mean_model).options, pack=False))
    found = foretell(plan, mean_model, measure)
    assert explain_costs(found, tmp_path, tmp_path).seconds is None
    execute_plan(plan, mean_model, Blobs(), measure, tmp_path, "cpu")
    whole = explain_costs(found, tmp_path, tmp_path)
    assert whole.finished
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "costs" / "resize.00001.json").unlink()
    part = explain_costs(found, tmp_path, tmp_path)
    assert not part.finished
    assert part.seconds is not None
    assert whole.seconds is not None
    assert part.seconds < whole.seconds
    assert {row.sites: row.rows for row in part.costs} == {row.sites: row.rows for row in whole.costs}
    clean = next(row for row in part.costs if row.sites == CLEAN_RUNS)
    assert clean.live == 10 + 2 * (PAIRS - 8)


def test_measured_flops_are_those_of_a_count_on_paper(mean_model: Model, measure: Measure, tmp_path: Path) -> None:
    plan = optimise(raw(sweep(mean_model)), mean_model.components, ("share", "suffix", "stop"))
    # Batches of 16 pairs of one arm after the other: none is padded but the last of a group.
    execute_plan(plan, mean_model, Blobs(), measure, tmp_path, "cpu")
    patched = [arm for arm in plan.arms if arm.patches]
    expected = plan_cost(replace(plan, arms=tuple(patched)), mean_model.components)
    rows = [row for row in measured_rows(tmp_path) if row.is_group]
    flops = sum(row.flops or 0.0 for row in rows)
    assert expected.flops <= flops <= 1.1 * expected.flops


def poisoned_by(model: Model, node: str) -> set[str]:
    """The nodes that are no numbers any more once `node` is none: a count of what depends on it, by running it."""
    graph = model.graph
    assert isinstance(graph, OperatorGraph)
    environment = dict(graph.run(torch.rand(2, 1, SIDE, SIDE), torch.randn(2, LATENTS)))
    found: set[str] = set()
    if not isinstance(environment[node], Tensor) or not environment[node].is_floating_point():
        return found
    environment[node] = torch.full_like(environment[node], float("nan"))
    for operation in graph.operations:
        if operation.name == node or operation.name in graph.parameters or operation.function is None:
            continue
        value = environment[operation.name] = evaluate(operation, environment, 2)
        if isinstance(value, Tensor) and bool(value.isnan().any()):
            found.add(operation.name)
    return found


def test_pass_records_are_what_a_count_by_running_gives(mean_model: Model) -> None:
    """Rows and FLOPs before and after sharing and prefix reuse, the re-run found by poisoning each patched value."""
    single = raw(sweep(mean_model))
    swap = make_source("interchange")
    branches = ("latent.mean", "encoder.conv2")
    pair = Arm("resize", "base", tuple(Patch(name, None, swap) for name in branches), 9)
    plan = replace(single, arms=(*single.arms, pair, single.arms[-1]))
    share, suffix = optimise(plan, mean_model.components, ("share", "suffix")).passes

    components, graph = mean_model.components, mean_model.graph
    assert isinstance(graph, OperatorGraph)
    output = graph.outputs["output"]
    flops = {operation.name: operation.flops for operation in graph.operations}
    reaches = {name: output in poisoned_by(mean_model, name) | {name} for name in flops if name not in graph.parameters}
    distinct = {arm.id: arm for arm in plan.arms}.values()
    expected = 0.0
    for arm in distinct:
        rerun = set().union(*(poisoned_by(mean_model, components.site(patch.site).node) for patch in arm.patches))
        rerun = {name for name in rerun if reaches[name]} if arm.patches else set(flops)
        expected += arm.pairs * sum(flops[name] for name in rerun)
    whole = sum(flops.values())
    assert (share.rows_before, share.rows_after) == (
        sum(arm.pairs for arm in plan.arms),
        sum(arm.pairs for arm in distinct),
    )
    assert share.flops_after == pytest.approx(share.rows_after * whole)
    assert suffix.flops_after == pytest.approx(expected)
    assert suffix.forwards_after == pytest.approx(expected / whole)
    assert suffix.flops_after < 0.7 * suffix.flops_before


def test_controls_are_predicted_and_measured(mean_model: Model, measure: Measure, tmp_path: Path) -> None:
    plan = add_controls(sweep(mean_model), mean_model.components)
    copy = restrict(plan, (OWNER,), ("sweep",), 6)
    plan = replace(plan, controls=Controls(plan.controls.exact, copy))
    found = foretell(plan, mean_model, measure)
    execute_plan(plan, mean_model, Blobs(), measure, tmp_path / "own", "cpu")
    execute_plan(copy, mean_model, Blobs(), measure, tmp_path / "copy", "cpu")
    predicted = {row.sites: row for row in predicted_rows(found)}
    told = {row.sites: row for row in measured_rows(tmp_path / "own", tmp_path / "copy")}
    # Four patched sites and the latent, whole and one unit, and the full patch.
    assert predicted[EXACT_CONTROLS].rows == told[EXACT_CONTROLS].rows == 11 * PAIRS
    arms = sum(arm.pairs for arm in copy.arms)
    assert predicted[RANDOM_COPY].rows == told[RANDOM_COPY].rows
    assert arms < predicted[RANDOM_COPY].rows <= arms + 6 + 2 * 6
    assert not any(row.is_group for row in (predicted[RANDOM_COPY], told[EXACT_CONTROLS], told[RANDOM_COPY]))
    assert found.total.seconds > sum(work.seconds for work in found.extras.values()) > 0
    assert (told[EXACT_CONTROLS].flops or 0) > 0
