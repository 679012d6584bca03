"""The engine against a naive loop of forward hooks, for arms of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from causalvae.engine.execute import execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.models.loading import Model
from causalvae.plan.controls import add_controls
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan, Subspace, Treatment
from causalvae.spec.value_source import ValueSource, make_source
from tests.engine.conftest import Blobs
from tests.engine.hook_oracle import SMALL_TAPS, HookOracle
from tests.extension.causalvae_flashes.median import Median

PAIRS = 12
COLUMNS = ("area", "random", "contrast", "image_sq", "image_dot")
INTERCHANGE = make_source("interchange")
RESIZE = Cohort("resize", PAIRS, 5, Treatment("resize", "scale", None, "hold", "increase"))
WATCHED = Cohort(OBSERVED, 20, 5)


def patch(site: str, units: tuple[int, ...] | None = None, source: ValueSource = INTERCHANGE, **more: object) -> Patch:
    return Patch(site, units, source, **more)  # type: ignore[arg-type]


def on_pairs(*patches: Patch, pairs: int = PAIRS) -> tuple[Arm, Arm]:
    """The same patches on both sides of the treated cohort."""
    return Arm("resize", "base", patches, pairs), Arm("resize", "counterfactual", patches, pairs)


def on_observed(*patches: Patch, pairs: int = WATCHED.samples) -> tuple[Arm, ...]:
    return (Arm(OBSERVED, "base", patches, pairs),)


ARMS: dict[str, tuple[Arm, ...]] = {
    "clean": on_pairs(),
    "clean observed": on_observed(),
    "one latent": on_pairs(patch("latent", (3,))),
    "latents": on_pairs(patch("latent", (0, 2, 3))),
    "all latents": on_pairs(patch("latent")),
    "channels in a run": on_pairs(patch("encoder.conv2", (4, 5, 6))),
    "channels apart": on_pairs(patch("encoder.conv2", (0, 3, 7))),
    "before the activation": on_pairs(patch("encoder.conv2@pre", (0, 3, 7))),
    "a layer": on_pairs(patch("encoder.conv1")),
    "a window": on_pairs(patch("encoder.conv1", window=((1, 5), (0, 4)))),
    "channels in a window": on_pairs(patch("encoder.conv1", (1, 2, 5), window=((1, 5), (0, 4)))),
    "a first window axis": on_pairs(patch("decoder.convT1", (1, 4), window=((0, 4),))),
    "hidden units": on_pairs(patch("encoder.lin1", tuple(range(0, 20, 3)))),
    "flattened channels": on_pairs(patch("encoder.conv2", (2, 3, 6), window=((0, 2), (1, 3)))),
    "decoder layer": on_pairs(patch("decoder.lin2", tuple(range(10, 40)))),
    "the output": on_pairs(patch("decoder.convT2", window=((0, 6), (2, 11)))),
    "posterior parameters": on_pairs(patch("encoder.head", (1, 2, 5))),
    "mean": on_pairs(patch("encoder.conv2", (1, 4), make_source("mean"))),
    "mean of latents": on_pairs(patch("latent", (1, 3), make_source("mean"))),
    "resample": on_pairs(patch("latent", (0, 1), make_source("resample", seed=5))),
    "resample layer": on_pairs(patch("encoder.lin1", None, make_source("resample", seed=6))),
    "zero": on_pairs(patch("decoder.convT1", (0, 2, 5), make_source("zero"))),
    "zero latent": on_pairs(patch("latent", (2,), make_source("zero"))),
    "quantile": on_pairs(patch("latent", (2,), make_source("quantile", 0.2))),
    "a kind of another distribution": on_pairs(patch("latent", (1, 2), Median())),
    "sd": on_pairs(patch("latent", (2, 3), make_source("sd", -1.5))),
    "constant": on_pairs(patch("encoder.lin1@pre", (5, 6, 19), make_source("constant", 2.5))),
    "latent subspace": on_pairs(patch("latent", subspace=Subspace(2, 11))),
    "subspace of units": on_pairs(patch("encoder.lin1", tuple(range(0, 20, 2)), subspace=Subspace(5, 12))),
    "subspace of channels": on_pairs(patch("encoder.conv2", subspace=Subspace(3, 13))),
    "subspace in a window": on_pairs(
        patch("encoder.conv1", (1, 2, 4, 5), window=((1, 5), (0, 6)), subspace=Subspace(2, 14))
    ),
    "upstream and latents": on_pairs(patch("encoder.conv2", (2, 3)), patch("latent", (1, 2))),
    "both sides of a ReLU": on_pairs(patch("encoder.conv2@pre", (0, 1, 2)), patch("encoder.conv2", (2, 3))),
    "three sites": on_pairs(
        patch("encoder.lin1", (0, 7, 8)),
        patch("latent", None, subspace=Subspace(1, 15)),
        patch("decoder.lin1", tuple(range(8)), make_source("zero")),
    ),
    "mixed sources": on_pairs(patch("latent", (1,), make_source("mean")), patch("decoder.lin2", (3, 4, 5, 50, 51))),
    "fewer pairs": on_pairs(patch("latent", (1,)), pairs=5),
    "fewer pairs, two sites": on_pairs(patch("encoder.conv2", (2, 5)), patch("latent", (1,)), pairs=7),
    "observed quantile": on_observed(patch("latent", (1,), make_source("quantile", 0.75)), pairs=9),
    "observed sd": on_observed(patch("latent", (1,), make_source("sd", 2.0))),
    "observed resample": on_observed(patch("latent", (1, 2), make_source("resample", seed=3))),
    "observed zero": on_observed(patch("encoder.conv1", (1, 2), make_source("zero"))),
    "observed quantile upstream": on_observed(patch("encoder.lin1", (4, 9, 11), make_source("quantile", 0.9))),
}
SAMPLED = {
    "posterior mean": on_pairs(patch("latent.mean", (0, 3))),
    "posterior log-variance": on_pairs(patch("latent.logvar", (0, 3))),
    "log-variance constant": on_pairs(patch("latent.logvar", None, make_source("constant", -1.0))),
    "noise": on_pairs(patch("latent.noise", (1, 2), make_source("zero"))),
    "mean and log-variance": on_pairs(patch("latent.mean", (1,)), patch("latent.logvar", (2,))),
    "mean, then latent": on_pairs(patch("latent.mean", (1,)), patch("latent", (2,))),
}


def make_plan(arms: dict[str, tuple[Arm, ...]], shard_pairs: int = 5, batch_rows: int = 512, **options: object) -> Plan:
    return Plan(
        name="oracle",
        spec_digest="s",
        model_digest="small",
        cohorts=(WATCHED, RESIZE),
        arms=tuple(arm for group in arms.values() for arm in group),
        uses=(),
        attributes=("area", "random", "contrast"),
        shard_pairs=shard_pairs,
        batch_rows=batch_rows,
        seed=4,
        options=replace(Options(rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True), **options),
    )


def measured(plan: Plan, model: Model, measure: Callable[[Tensor], Tensor], folder: Path) -> Measurements:
    return execute_plan(add_controls(plan, model.components), model, Blobs(), measure, folder, "cpu")


def assert_agree(found: Measurements, oracle: HookOracle, arms: dict[str, tuple[Arm, ...]]) -> None:
    for name, group in arms.items():
        for arm in group:
            expected = oracle.run(arm)
            for column in COLUMNS:
                slack = 1e-7 + 3e-6 * np.abs(expected[column]).max()
                np.testing.assert_allclose(
                    found.values(arm.id, column),
                    expected[column],
                    rtol=1e-5,
                    atol=slack,
                    err_msg=f"{name}, {arm.side}, {column}",
                )


@pytest.fixture(scope="module")
def reference(mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path_factory: pytest.TempPathFactory):
    """The engine's measurements of all arms with the posterior mean as latent, in shards of 5."""
    return measured(make_plan(ARMS), mean_model, measure, tmp_path_factory.mktemp("reference"))


def test_interventions_move_the_output(reference: Measurements) -> None:
    """Otherwise agreement with the oracle would say little."""
    clean = {(arm.cohort, arm.side): arm.id for name in ("clean", "clean observed") for arm in ARMS[name]}
    for name, group in ARMS.items():
        for arm in group:
            own = reference.values(clean[arm.cohort, arm.side], "random")[: arm.pairs]
            moved = np.abs(reference.values(arm.id, "random") - own).max()
            assert moved > 1e-3 * np.abs(own).max() or name.startswith("clean"), (name, arm.side, moved)


def test_every_kind_of_arm_agrees_with_forward_hooks(
    reference: Measurements, mean_model: Model, measure: Callable[[Tensor], Tensor]
) -> None:
    oracle = HookOracle(reference.plan, mean_model.vae, False, Blobs(), measure, SMALL_TAPS)
    assert_agree(reference, oracle, ARMS)


def test_sampled_latents_share_their_noise(
    sample_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    names = ("clean", "one latent", "upstream and latents", "quantile", "sd", "resample", "observed resample")
    arms = {**{name: ARMS[name] for name in names}, **SAMPLED}
    plan = make_plan(arms)
    found = measured(plan, sample_model, measure, tmp_path)
    oracle = HookOracle(plan, sample_model.vae, True, Blobs(), measure, SMALL_TAPS)
    assert_agree(found, oracle, arms)
    assert found.manifest["controls"]["full_patch"] == 0.0


@pytest.mark.parametrize("shard_pairs", [2, 64])
def test_shards_of_any_size_agree_with_forward_hooks(
    shard_pairs: int, mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    plan = make_plan(ARMS, shard_pairs=shard_pairs)
    found = measured(plan, mean_model, measure, tmp_path)
    oracle = HookOracle(plan, mean_model.vae, False, Blobs(), measure, SMALL_TAPS)
    assert_agree(found, oracle, ARMS)


@pytest.mark.parametrize(
    ("batch_rows", "options"),
    [
        (1, {}),
        (7, {}),
        (512, {"rerun": "full"}),
        (512, {"skip_dead_rows": False}),
        (7, {"skip_dead_rows": False}),
        (7, {"windows": False}),
        (512, {"low_rank": False}),
        (7, {"rerun": "full", "skip_dead_rows": False}),
    ],
)
def test_neither_batches_nor_passes_change_a_number(
    batch_rows: int,
    options: dict[str, object],
    reference: Measurements,
    mean_model: Model,
    measure: Callable[[Tensor], Tensor],
    tmp_path: Path,
) -> None:
    found = measured(make_plan(ARMS, batch_rows=batch_rows, **options), mean_model, measure, tmp_path)
    for name, group in ARMS.items():
        for arm in group:
            for column in COLUMNS:
                expected = reference.values(arm.id, column)
                slack = 1e-6 * max(1.0, np.abs(expected).max())
                np.testing.assert_allclose(
                    found.values(arm.id, column), expected, rtol=1e-6, atol=slack, err_msg=f"{name}, {column}"
                )


def test_tables_have_one_row_an_arm_and_pair(reference: Measurements) -> None:
    for group in ARMS.values():
        for arm in group:
            assert reference.arm(arm.id)["pair"].tolist() == list(range(arm.pairs))
    assert len(reference.outcomes) == sum(arm.pairs for group in ARMS.values() for arm in group)
    assert reference.pairs.groupby("cohort").size().to_dict() == {OBSERVED: 20, "resize": PAIRS}
    assert reference.observations["sample"].tolist() == list(range(20))


def test_exact_controls_hold_on_every_patched_site(reference: Measurements) -> None:
    controls = reference.manifest["controls"]
    assert controls["sites"] == len({p.site for group in ARMS.values() for arm in group for p in arm.patches})
    assert (controls["self_patch"], controls["full_patch"]) == (0.0, 0.0)
    assert controls["network"] < 1e-5


def test_dead_rows_are_exactly_clean(mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    """A ReLU that is off on both sides has the same value on both: those rows are copied, not computed."""
    clean = Arm("resize", "base", (), PAIRS)
    oracle = HookOracle(make_plan({}), mean_model.vae, False, Blobs(), measure, SMALL_TAPS)
    inputs, noise = oracle.inputs(RESIZE), oracle.noise(RESIZE)
    base, other = (oracle.read("encoder.lin1", inputs[side], noise) for side in ("base", "counterfactual"))
    equal = (base == other).numpy()
    unit = int(np.abs(equal.sum(0) - PAIRS // 2).argmin())
    same = equal[:, unit]
    assert 0 < same.sum() < PAIRS, "the example must have both kinds of row"
    quiet = Arm("resize", "base", (patch("encoder.lin1", (unit,)),), PAIRS)
    # A row is dead only when every patch of its arm leaves it as it is.
    both = Arm("resize", "base", (patch("encoder.conv1", (0, 1)), patch("encoder.lin1", (unit,))), PAIRS)
    plan = make_plan({"arms": (clean, quiet, both)})
    found = measured(plan, mean_model, measure, tmp_path)
    assert found.arm(both.id)["live"].all()
    assert_agree(found, HookOracle(plan, mean_model.vae, False, Blobs(), measure, SMALL_TAPS), {"both": (both,)})
    live = found.arm(quiet.id)["live"].to_numpy()
    assert (live == ~same).all()
    for column in COLUMNS:
        assert (found.values(quiet.id, column)[same] == found.values(clean.id, column)[same]).all()
    assert found.manifest["rows_dead"] == same.sum()
    assert found.manifest["rows_run"] == (~same).sum() + PAIRS


def test_a_full_patch_of_the_latent_is_the_counterfactual_bit_for_bit(
    mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    (_, counterfactual), (patched, held) = ARMS["clean"], ARMS["all latents"]
    base = ARMS["clean"][0]
    # In batches of a shard's own size, as the clean runs are: another size may take another kernel.
    plan = make_plan({"arms": (base, counterfactual, patched, held)}, batch_rows=5)
    found = measured(plan, mean_model, measure, tmp_path)
    for column in COLUMNS:
        assert (found.values(patched.id, column)[:10] == found.values(counterfactual.id, column)[:10]).all()
        assert (found.values(held.id, column)[:10] == found.values(base.id, column)[:10]).all()


def test_an_arm_listed_twice_is_measured_once(
    mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    plan = make_plan({"arms": ARMS["one latent"]})
    found = measured(replace(plan, arms=plan.arms * 2), mean_model, measure, tmp_path)
    assert len(found.values(plan.arms[0].id, "area")) == PAIRS


def test_a_cohort_without_arms_is_an_empty_table(
    mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    plan = make_plan({"arms": ARMS["one latent"]})
    found = measured(plan, mean_model, measure, tmp_path)
    assert set(found.outcomes["arm"]) == {arm.id for arm in plan.arms}
    assert found.attribute_sd()["area"] > 0


def test_an_arm_that_ends_before_a_shard_is_passed_over(
    mean_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    plan = make_plan({"arms": on_pairs(patch("latent", (1,)), pairs=3)})
    found = measured(plan, mean_model, measure, tmp_path)
    assert len(found.outcomes) == 6
