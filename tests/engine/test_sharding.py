"""How a cohort is cut into shards changes no bit: not the noise, not the donors, not an outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from causalvae.data.dataset import DspritesDataset
from causalvae.engine.execute import execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.engine.runner import PlanRunner
from causalvae.models.burgess import burgess
from causalvae.models.loading import Model, assemble
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan, Side, Treatment
from causalvae.spec.value_source import make_source
from tests.engine.conftest import SIDE, Blobs

Measure = Callable[[Tensor], Tensor]
PAIRS = 150
SIDES: tuple[Side, Side] = ("base", "counterfactual")
SOURCES = (
    make_source("interchange"),
    make_source("mean"),
    make_source("resample", seed=3),
    make_source("resample", seed=4),
    make_source("quantile", 0.8),
    make_source("sd", -1.0),
)
SITES: tuple[tuple[str, tuple[int, ...] | None], ...] = (
    ("latent", (1,)),
    ("latent", None),
    ("encoder.lin1", (2, 3, 9)),
    ("latent.noise", (0, 2)),
)
PATCHES = (
    (),
    *((Patch(site, units, source),) for site, units in SITES for source in SOURCES),
    (
        Patch("encoder.conv2", (1, 5), make_source("resample", seed=3)),
        Patch("decoder.convT1", (2,), make_source("mean")),
    ),
)
PLAN = Plan(
    name="sharding",
    spec_digest="s",
    model_digest="small",
    cohorts=(
        Cohort(OBSERVED, 90, 1),
        Cohort("resize", PAIRS, 1, Treatment("resize", "scale", None, "hold", "increase")),
    ),
    arms=(
        Arm(OBSERVED, "base", (), 90),
        Arm(OBSERVED, "base", PATCHES[3], 70),
        *(Arm("resize", side, patches, PAIRS) for patches in PATCHES for side in SIDES),
        Arm("resize", "base", PATCHES[3], 37),
    ),
    uses=(),
    attributes=("area", "weighted"),
    options=Options(rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True),
)


def read(images: Tensor) -> Tensor:
    """Sums within a row alone: a matrix product would round by how many rows there are."""
    flat = images.flatten(1).double()
    weights = torch.linspace(0, 1, SIDE * SIDE, dtype=torch.float64)
    return torch.stack([flat.sum(1), (flat * weights).sum(1)], dim=1)


def run(model: Model, folder: Path, shard_pairs: int, **changes: object) -> Measurements:
    plan = replace(PLAN, shard_pairs=shard_pairs, **changes)  # type: ignore[arg-type]
    return execute_plan(plan, model, Blobs(), read, folder, "cpu")


@pytest.fixture(scope="module")
def whole(sample_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Measurements:
    return run(sample_model, tmp_path_factory.mktemp("whole"), PAIRS)


@pytest.mark.parametrize("shard_pairs", [16, 64])
def test_outcomes_are_equal_bit_for_bit(
    shard_pairs: int, whole: Measurements, sample_model: Model, tmp_path: Path
) -> None:
    found = run(sample_model, tmp_path, shard_pairs)
    for arm in PLAN.arms:
        for column in ("pair", "area", "weighted", "image_sq", "image_dot", "live"):
            one, other = (table.arm(arm.id)[column].to_numpy() for table in (whole, found))
            assert np.array_equal(one, other), (arm, column)
    assert found.observations.equals(whole.observations)


@pytest.mark.slow
def test_the_kernels_of_a_real_network_do_not_see_shards(tmp_path: Path) -> None:
    """Batches are put together otherwise in every shard size; each row must come out the same."""
    torch.manual_seed(0)
    model = assemble(burgess(), True, "burgess", {})
    units = {"encoder.conv1": 32, "encoder.conv3": 32, "encoder.lin1": 256, "decoder.lin3": 512, "decoder.convT2": 32}
    swap, draw = make_source("interchange"), make_source("resample", seed=1)
    arms = [
        Arm("resize", "base", (Patch(site, (unit,), source),), 45)
        for site, count in units.items()
        for unit in (0, count // 3, count - 1)
        for source in (swap, draw)
    ]
    arms += [Arm("resize", side, patches, 45) for patches in ((), (Patch("latent", None, swap),)) for side in SIDES]
    cohorts = (Cohort(OBSERVED, 16, 1), Cohort("resize", 45, 1, PLAN.cohorts[1].treatment))
    plan = replace(PLAN, cohorts=cohorts, arms=tuple(arms), attributes=("area", "centre"))

    def look(images: Tensor) -> Tensor:
        flat = images.flatten(1).double()
        return torch.stack([flat.sum(1), (flat * torch.linspace(0, 1, 64 * 64, dtype=torch.float64)).sum(1)], dim=1)

    found = [
        execute_plan(replace(plan, shard_pairs=size), model, DspritesDataset(), look, tmp_path / str(size), "cpu")
        for size in (16, 45)
    ]
    for arm in arms:
        one, other = (table.arm(arm.id) for table in found)
        assert one.equals(other), arm


def test_a_donor_is_another_input_of_the_whole_cohort(whole: Measurements, sample_model: Model) -> None:
    """The value that a donor gives is the one that it has in its own clean run."""
    runner = PlanRunner(replace(PLAN, shard_pairs=16), sample_model, Blobs(), read, torch.device("cpu"))
    cohort = runner.shard("resize", 0, PAIRS)
    far = 0
    for first in range(0, PAIRS, 16):
        shard = runner.shard("resize", first, min(first + 16, PAIRS))
        assert torch.equal(shard.noise, cohort.noise[first : first + 16])
        for seed in (3, 4):
            x, noise = shard.donors[make_source("resample", seed=seed).donor_key("base")]
            # Noise is drawn anew for every pair, so it tells which pair a donor is.
            donors = [int((cohort.noise == row).all(1).nonzero()) for row in noise]
            assert torch.equal(x, cohort.sides["base"][donors])
            assert all(donor != first + place for place, donor in enumerate(donors))
            far += sum(not first <= donor < first + 16 for donor in donors)
    assert far > PAIRS


def test_an_arm_of_fewer_pairs_has_the_first_rows_of_a_longer_one(whole: Measurements) -> None:
    longer = next(arm for arm in PLAN.arms if arm.patches == PATCHES[3] and arm.pairs == PAIRS and arm.side == "base")
    shorter = PLAN.arms[-1]
    assert np.array_equal(whole.values(shorter.id, "weighted"), whole.values(longer.id, "weighted")[:37])
