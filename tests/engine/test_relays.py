"""Values that are relayed from other patched runs: against forward hooks on a network with ReLUs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from causalvae.costs import measured_rows, predicted_rows
from causalvae.data.factors import IntArray
from causalvae.engine.execute import execute_plan
from causalvae.engine.forecast import forecast
from causalvae.engine.measurements import Measurements
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import OVERHEADS
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked_sites import find_hooked_sites
from causalvae.models.loading import Model
from causalvae.plan.cost import inner_cost, plan_cost
from causalvae.plan.owner import Owner
from causalvae.plan.passes import optimise
from causalvae.plan.relays import inner_runs
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan, Treatment, Use
from causalvae.spec.value_source import ValueSource, make_source
from tests.engine.conftest import LATENTS, SIDE, Blobs
from tests.engine.hook_oracle import SMALL_TAPS, HookOracle

PAIRS = 12
COLUMNS = ("area", "random", "contrast", "image_sq", "image_dot")
RESIZE = Cohort("resize", PAIRS, 5, Treatment("resize", "scale", None, "hold", "increase"))
WATCHED = Cohort(OBSERVED, 20, 5)
SWAP = make_source("interchange")

Stage = tuple[str, tuple[int, ...] | None]
Measure = Callable[[Tensor], Tensor]


def along(*stages: Stage | list[Stage], first: ValueSource = SWAP) -> tuple[Patch, ...]:
    """The patches that send a change through some stages."""
    patches: tuple[Patch, ...] = ()
    for place, stage in enumerate(stages):
        source = make_source("relayed", upstream=patches) if place else first
        patches = tuple(Patch(site, units, source) for site, units in (stage if isinstance(stage, list) else [stage]))
    return patches


PATHS: dict[str, tuple[Patch, ...]] = {
    "two units": along(("encoder.conv2", (3,)), ("latent", (1,))),
    "layers": along(("encoder.conv1", None), ("encoder.lin1", None), ("latent", None), ("decoder.lin2", None)),
    "channels of both halves": along(("encoder.conv1", (0, 2, 5)), ("latent", (0, 3)), ("decoder.convT1", (1, 4))),
    "four stages": along(
        ("encoder.conv2@pre", (1, 4)), ("encoder.lin1", (0, 3, 6, 9, 12)), ("latent", (0, 2)), ("decoder.lin1", (7,))
    ),
    "sets at two sites": along(
        [("encoder.conv2", (1,)), ("encoder.lin1", (0, 3))], [("latent", (0,)), ("decoder.lin1", (2, 9))]
    ),
    "from a mean": along(("encoder.conv2", (3, 5)), ("latent", (1, 2)), first=make_source("mean")),
    "from others": along(("encoder.lin1", None), ("latent", (1, 2)), first=make_source("resample", seed=5)),
    "held": (
        Patch("encoder.conv2", (3, 4), SWAP),
        Patch("latent", (1, 3), make_source("relayed")),
    ),
    "two ways into one site": (
        *along(("encoder.conv2", (3,)), ("latent", (1,))),
        *along(("encoder.lin1", (4, 5)), ("latent", (0, 2))),
    ),
}  # fmt: skip
SAMPLED = {
    "posterior": along(("encoder.conv2", (3,)), [("latent.mean", (1,)), ("latent.logvar", (0, 1))], ("latent", (0, 1))),
    "to the latent": along(("encoder.lin1", None), ("latent", (1, 2)), ("decoder.lin1", None)),
}


def both(patches: tuple[Patch, ...], pairs: int = PAIRS) -> tuple[Arm, Arm]:
    return Arm("resize", "base", patches, pairs), Arm("resize", "counterfactual", patches, pairs)


def make_plan(
    paths: dict[str, tuple[Patch, ...]], shard_pairs: int = 5, batch_rows: int = 512, **options: object
) -> Plan:
    arms = [arm for patches in ((), *paths.values()) for arm in both(patches)]
    # On fewer pairs, so that one inner run serves arms of different lengths.
    arms += [replace(arm, pairs=7) for arm in both(next(iter(paths.values())))]
    return Plan(
        "relays", "s", "small", (WATCHED, RESIZE), tuple(arms), (), ("area", "random", "contrast"),
        shard_pairs=shard_pairs, batch_rows=batch_rows, seed=4,
        options=replace(Options(rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True), **options),
    )  # fmt: skip


def measured(plan: Plan, model: Model, measure: Measure, folder: Path) -> Measurements:
    return execute_plan(plan, model, Blobs(), measure, folder, "cpu")


@pytest.fixture(scope="module")
def reference(mean_model: Model, measure: Measure, tmp_path_factory: pytest.TempPathFactory) -> Measurements:
    return measured(make_plan(PATHS), mean_model, measure, tmp_path_factory.mktemp("relays"))


def assert_near(found: Measurements, expected: Callable[[Arm], dict[str, np.ndarray]], near: float = 3e-6) -> None:
    for arm in found.plan.arms:
        wanted = expected(arm)
        for column in COLUMNS:
            slack = 1e-7 + near * np.abs(wanted[column]).max()
            np.testing.assert_allclose(
                found.values(arm.id, column), wanted[column], rtol=3 * near, atol=slack, err_msg=f"{arm}, {column}"
            )


def values_of(found: Measurements) -> Callable[[Arm], dict[str, np.ndarray]]:
    return lambda arm: {column: found.values(arm.id, column) for column in COLUMNS}


def test_paths_agree_with_forward_hooks(reference: Measurements, mean_model: Model, measure: Measure) -> None:
    oracle = HookOracle(reference.plan, mean_model.vae, False, Blobs(), measure, SMALL_TAPS)
    assert_near(reference, oracle.run)


def test_paths_move_the_output_otherwise_than_their_last_stage_does(reference: Measurements) -> None:
    for name, patches in PATHS.items():
        base, arm = Arm("resize", "base", (), PAIRS), Arm("resize", "base", patches, PAIRS)
        moved = np.abs(reference.values(arm.id, "random") - reference.values(base.id, "random")).max()
        assert moved > 1e-3, name


def test_sampled_latents_share_their_noise(sample_model: Model, measure: Measure, tmp_path: Path) -> None:
    plan = make_plan(SAMPLED)
    oracle = HookOracle(plan, sample_model.vae, True, Blobs(), measure, SMALL_TAPS)
    assert_near(measured(plan, sample_model, measure, tmp_path), oracle.run)


@pytest.mark.parametrize(
    ("shard_pairs", "batch_rows", "options"),
    [
        (2, 512, {}),
        (64, 16, {}),
        (5, 7, {"rerun": "full", "low_rank": False}),
        (64, 512, {"skip_dead_rows": False, "low_rank": False, "windows": False}),
    ],
)
def test_neither_shards_nor_batches_nor_passes_change_a_number(
    shard_pairs: int, batch_rows: int, options: dict[str, object], reference: Measurements, mean_model: Model,
    measure: Measure, tmp_path: Path,
) -> None:  # fmt: skip
    found = measured(make_plan(PATHS, shard_pairs, batch_rows, **options), mean_model, measure, tmp_path)
    if not options:
        for arm in found.plan.arms:
            # The other columns are matrix products of the test's own, which round by how many rows they have.
            for column in ("area", "image_sq"):
                assert np.array_equal(found.values(arm.id, column), reference.values(arm.id, column)), (arm, column)
    assert_near(found, values_of(reference), 1e-6)


class Still(Blobs):
    """Whatever the scale is, the image is the same."""

    def inputs(self, levels: IntArray) -> Tensor:
        return super().inputs(levels * np.array([1, 0, 1, 1]))


def test_where_nothing_changes_nothing_is_sent(mean_model: Model, measure: Measure, tmp_path: Path) -> None:
    relays = {name: patches for name, patches in PATHS.items() if not name.startswith("from")}
    found = execute_plan(make_plan(relays), mean_model, Still(), measure, tmp_path, "cpu")
    for arm in found.plan.arms:
        assert not np.any(found.values(arm.id, "image_sq"))
    assert found.manifest["rows_run"] == 0
    assert all(row.live == 0 for row in measured_rows(tmp_path) if row.is_group)


def test_layers_that_cut_the_network_carry_the_total_effect(reference: Measurements) -> None:
    for side, other in (("base", "counterfactual"), ("counterfactual", "base")):
        through = Arm("resize", side, PATHS["layers"], PAIRS)  # type: ignore[arg-type]
        clean = Arm("resize", other, (), PAIRS)  # type: ignore[arg-type]
        for column in COLUMNS:
            np.testing.assert_array_equal(reference.values(through.id, column), reference.values(clean.id, column))


def hooked(model: Model) -> Model:
    network = capture_by_hooks(
        model.network, (torch.rand(3, 1, SIDE, SIDE), torch.randn(3, LATENTS)), tuple(model.graph.outputs)
    )
    return replace(model, graph=network, components=find_hooked_sites(network, LATENTS, "small"))


def test_hooks_alone_give_the_same(
    reference: Measurements, mean_model: Model, measure: Measure, tmp_path: Path
) -> None:
    found = measured(make_plan(PATHS), hooked(mean_model), measure, tmp_path)
    assert_near(found, values_of(reference))


def test_an_inner_run_is_made_once_and_counted(mean_model: Model, measure: Measure, tmp_path: Path) -> None:
    """Two paths with a common beginning, each asked for twice: three inner runs a side."""
    first, second = (along(("encoder.conv2", (3,)), ("encoder.lin1", (4,)), ("latent", (unit,))) for unit in (0, 1))
    arms = [arm for patches in (first, second) for arm in both(patches)]
    uses = tuple(Use(Owner.intervention("a"), "sweep", arm.id, index=index) for index, arm in enumerate([*arms, *arms]))
    plan = replace(make_plan(PATHS), arms=(*both(()), *arms, *arms), uses=uses)
    plan = optimise(replace(plan, options=Options(rerun="full", skip_dead_rows=False)), mean_model.components)
    # conv2 to lin1, and from there to the latent, of which both arms read a unit: two a side.
    runs = inner_runs(arms)
    assert sorted(run.label for run in runs) == 2 * ["encoder.conv2 to encoder.lin1"] + 2 * [
        "encoder.conv2 to encoder.lin1 to latent"
    ]
    share = plan.passes[0]
    assert (share.rows_before, share.rows_after) == (2 * PAIRS + 2 * 8 * PAIRS, 2 * PAIRS + 8 * PAIRS)
    runner = PlanRunner(plan, mean_model, Blobs(), measure, torch.device("cpu"))
    found = forecast(plan, runner, 1, sample_pairs=PAIRS)
    execute_plan(plan, mean_model, Blobs(), measure, tmp_path, "cpu")
    predicted = {(row.side, row.sites): row for row in predicted_rows(found)}
    told = {(row.side, row.sites): row for row in measured_rows(tmp_path)}
    assert predicted.keys() - {("both", OVERHEADS)} == told.keys() - {("both", OVERHEADS)}
    for key, row in told.items():
        if row.is_group:
            assert (row.arms, row.rows, row.live) == (
                predicted[key].arms, predicted[key].rows, round(predicted[key].predicted_live or 0)
            )  # fmt: skip
    patched = sum(row.rows for row in told.values() if row.is_group)
    # Nothing shared: each of eight uses has an arm and two inner runs of its own.
    assert found.passes["none"].rows == 8 * 3 * PAIRS
    assert plan_cost(plan, mean_model.components).rows == 2 * PAIRS + patched
    # From the second convolution to the first linear layer alone: that layer's product, and its activation.
    (group,) = [item for item in found.groups if item.side == "base" and item.sites == (runs[0].label,)]
    assert group.work["suffix"].flops == pytest.approx(PAIRS * (2 * 72 * 20), rel=0.1)
    whole = sum(operation.flops for operation in mean_model.components.operations)
    assert inner_cost(runs[0], mean_model.components, "suffix") == pytest.approx(2 * 72 * 20 / whole, rel=0.1)
