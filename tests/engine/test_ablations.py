"""Ablation variants: against hooks on the modules, and against closed forms on a linear network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from causalvae.data.pairs import draw_pairs
from causalvae.engine.donors import choose_donors
from causalvae.engine.execute import execute_plan
from causalvae.engine.fitting import SPLIT_PAIRS, fit_constants, split_of
from causalvae.engine.measurements import Measurements
from causalvae.engine.shards import ShardInputs
from causalvae.engine.values import CleanRuns, SiteRuns, Statistics
from causalvae.errors import CausalVAEError
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.plan.ablations import told_apart
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan, Side, Treatment
from causalvae.spec.value_source import DonorKey, ValueSource, make_source
from tests.engine.conftest import Blobs
from tests.engine.hook_oracle import SMALL_TAPS, HookOracle
from tests.engine.test_engine_linear import (
    COHORT,
    DECODER,
    DECODER_BIAS,
    FIRST,
    FIRST_BIAS,
    INPUTS,
    LATENTS,
    MIXING,
    OFFSET,
    READOUTS,
    SECOND,
    SECOND_BIAS,
    TO_MEAN,
    Vectors,
    linear,
    values,
)
from tests.engine.test_engine_linear import PAIRS as PAIRS_LINEAR
from tests.engine.test_engine_linear import measure as measure_linear

PAIRS = 20
SCALED = Cohort("rescale", PAIRS, 5, Treatment("rescale", "scale", None, "hold", "increase"))
WATCHED = Cohort(OBSERVED, 24, 5)
SIDES: tuple[Side, Side] = ("base", "counterfactual")

NOISE, STEER, GIVEN = (
    make_source("noise", 0.7, seed=3),
    make_source("additive", seed=9),
    make_source("resample", seed=4, given="x"),
)


CROSSED = make_source("interchange", seed=6, given="scale")


class AblationOracle(HookOracle):
    """Every source written out, pair by pair."""

    def source(self, source: ValueSource, site: str, side: str, cohort: Cohort) -> Tensor:
        if source.kind not in ("noise", "additive") and source.given is None:
            return super().source(source, site, side, cohort)
        inputs, noise = self.inputs(cohort), self.noise(cohort)
        own = self.read(site, inputs[side], noise)
        if source.kind == "noise":
            watched = self.plan.cohort(OBSERVED)
            watched = split_of(watched, 0, watched.samples)
            spread = self.read(site, self.inputs(watched)["base"], self.noise(watched)).double().std(0)
            rows = []
            for pair in range(cohort.samples):
                rng = np.random.default_rng([source.seed, crc32(site.encode()), pair])
                rows.append(
                    own[pair].double() + source.value * spread * torch.from_numpy(rng.standard_normal(spread.shape))
                )
            return torch.stack(rows).float()
        if source.kind == "additive":
            split = split_of(cohort, source.seed)
            drawn, eps = self.inputs(split), self.noise(split)
            other = {"base": "counterfactual", "counterfactual": "base"}[side]
            means = [self.read(site, drawn[which], eps).double().mean(0) for which in (other, side)]
            return (own.double() + means[0] - means[1]).float()
        if source.kind == "interchange":
            side = {"base": "counterfactual", "counterfactual": "base"}[side]
        pairs = draw_pairs(self.dataset, factor="scale", samples=cohort.samples, seed=cohort.seed, contrast="increase")
        chosen = choose_donors(
            self.dataset,
            {"base": pairs.base, "counterfactual": pairs.counterfactual},
            DonorKey(source.seed, source.given, side, source.kind == "interchange"),
        )
        return self.read(site, self.dataset.inputs(chosen.rows), noise[torch.from_numpy(chosen.pairs)])


def arms_of(*circuits: tuple[Patch, ...]) -> tuple[Arm, ...]:
    return tuple(Arm("rescale", side, patches, PAIRS) for patches in ((), *circuits) for side in SIDES)


def plan_of(arms: tuple[Arm, ...], names: tuple[str, ...] = ("area", "linear", "ratio"), **changes: object) -> Plan:
    options = Options(rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True)
    plan = Plan(
        "ablations", "s", "small", (WATCHED, SCALED), arms, (), names, shard_pairs=7, batch_rows=16, options=options
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


CIRCUITS = [
    (Patch("encoder.conv1", (2,), NOISE),),
    (Patch("encoder.conv1", (1, 4), NOISE, ((0, 2), (1, 3))),),
    (Patch("latent", (0, 3), NOISE), Patch("decoder.lin1", None, NOISE)),
    (Patch("encoder.conv2", (5,), STEER),),
    (Patch("latent", (1,), STEER),),
    (Patch("encoder.lin1", None, GIVEN),),
    (Patch("decoder.lin1", (3,), GIVEN),),
    (Patch("latent", (0, 2), CROSSED),),
]


@pytest.mark.parametrize("sampled", [False, True])
def test_every_variant_agrees_with_hooks(
    sampled: bool, mean_model: Model, sample_model: Model, blobs: Blobs, measure: Callable[..., Tensor], tmp_path: Path
) -> None:
    model = sample_model if sampled else mean_model
    plan = plan_of(arms_of(*CIRCUITS))
    found = execute_plan(plan, model, blobs, measure, tmp_path, "cpu")
    oracle = AblationOracle(plan, model.vae, sampled, blobs, measure, SMALL_TAPS)
    for arm in plan.arms:
        for column, expected in oracle.run(arm).items():
            scale = np.abs(expected).max() + 1e-3
            np.testing.assert_allclose(
                found.values(arm.id, column), expected, rtol=2e-4, atol=2e-5 * scale, err_msg=column
            )


def test_batches_and_shards_change_nothing(
    mean_model: Model, blobs: Blobs, measure: Callable[..., Tensor], tmp_path: Path
) -> None:
    optimal = told_apart((Patch("encoder.lin1", (2, 3), make_source("optimal", seed=2)),))
    plan = plan_of(arms_of(*CIRCUITS, optimal))
    runs: list[Measurements] = []
    for number, changes in enumerate(({}, {"shard_pairs": 20, "batch_rows": 64})):
        runs.append(execute_plan(replace(plan, **changes), mean_model, blobs, measure, tmp_path / str(number), "cpu"))
    for arm in plan.arms:
        np.testing.assert_allclose(
            runs[0].values(arm.id, "image_sq"), runs[1].values(arm.id, "image_sq"), rtol=1e-4, atol=1e-6
        )


@pytest.fixture(scope="module")
def linear_model() -> Model:
    encoder = nn.Sequential(linear(FIRST, FIRST_BIAS), linear(SECOND, SECOND_BIAS))
    vae = VAE(encoder, linear(DECODER, DECODER_BIAS), LATENTS, (INPUTS,), activation="none", likelihood="gaussian")
    return assemble(vae, False, "linear", {})


def split_hidden(seed: int, side: Side) -> np.ndarray:
    """The hidden layer of the linear network on the pairs that a source is fitted on, (pairs, hidden)."""
    data = Vectors()
    drawn = draw_pairs(data, factor="a", samples=SPLIT_PAIRS, seed=split_of(COHORT, seed).seed, contrast="increase")
    x = data.space.values_of(drawn.base if side == "base" else drawn.counterfactual) @ MIXING.T + OFFSET
    return x @ FIRST.T + FIRST_BIAS


@pytest.mark.parametrize("units", [(2,), (0, 3)])
def test_on_a_linear_network_each_variant_is_a_product_of_matrices(
    units: tuple[int, ...], linear_model: Model, tmp_path: Path
) -> None:
    """Moving hidden units c by d moves the readouts by R D M d: the optimal constant is the mean of c on its split."""
    chosen = list(units)
    steer = (Patch("encoder.0", units, make_source("additive", seed=1)),)
    best = told_apart((Patch("encoder.0", units, make_source("optimal", seed=1)),))
    arms = tuple(Arm(COHORT.name, side, patches, PAIRS_LINEAR) for patches in ((), steer, best) for side in SIDES)
    watched = Cohort(OBSERVED, 30, 2)
    plan = plan_of(arms, ("first", "second"), cohorts=(watched, COHORT), model_digest="linear")
    found = execute_plan(plan, linear_model, Vectors(), measure_linear, tmp_path, "cpu")
    data = Vectors()
    drawn = draw_pairs(data, factor="a", samples=PAIRS_LINEAR, seed=COHORT.seed, contrast="increase")
    onward = READOUTS @ DECODER @ TO_MEAN[:, chosen]
    for side, own, other in (("base", drawn.base, "counterfactual"), ("counterfactual", drawn.counterfactual, "base")):
        hidden = ((data.space.values_of(own) @ MIXING.T + OFFSET) @ FIRST.T + FIRST_BIAS)[:, chosen]
        means = {which: split_hidden(1, which)[:, chosen].mean(0) for which in (side, other)}
        clean = values(found, side, (), COHORT)
        # A steering vector moves every pair alike, towards the other side.
        steered = np.tile(onward @ (means[other] - means[side]), (PAIRS_LINEAR, 1))
        np.testing.assert_allclose(values(found, side, steer, COHORT) - clean, steered, rtol=2e-4, atol=2e-4)
        moved = (means[side] - hidden) @ onward.T
        np.testing.assert_allclose(values(found, side, best, COHORT) - clean, moved, rtol=2e-3, atol=2e-3)
        assert np.abs(steered).min() > 0.01 and np.abs(moved).max() > 0.1


def test_the_optimal_constant_beats_the_mean_where_the_network_bends() -> None:
    """With f(c) = relu(c) the best constant has relu(a) = mean relu(c), whose loss is the variance of relu(c)."""
    encoder = linear(np.array([[1.0], [0.0]]), np.array([-0.5, 0.0]))
    vae = VAE(
        encoder, nn.Sequential(nn.ReLU(), linear(np.eye(1), np.zeros(1))), 1, (1,), activation="none",
        likelihood="gaussian",
    )  # fmt: skip
    model = assemble(vae, False, "bend", {})
    x = torch.linspace(-1.0, 1.5, 40)[:, None]
    inputs = ShardInputs("c", 0, {"base": x, "counterfactual": x}, torch.zeros(40, 1))
    patch = Patch("latent", None, make_source("optimal", seed=0))
    (constant,) = fit_constants(model.graph, model.components, "base", (patch,), inputs, ("output",), 16)
    seen = np.maximum(x.double().numpy()[:, 0] - 0.5, 0.0)
    assert float(constant) == pytest.approx(seen.mean(), rel=1e-4)
    at_mean = np.maximum(x.double().numpy().mean() - 0.5, 0.0)
    assert seen.var() < 0.9 * ((seen - at_mean) ** 2).mean()


def test_donors_share_the_value_of_the_patched_side(blobs: Blobs) -> None:
    pairs = draw_pairs(blobs, factor="scale", samples=60, seed=3, contrast="increase")
    rows = {"base": pairs.base, "counterfactual": pairs.counterfactual}
    place = blobs.space.position("scale")
    for side in SIDES:
        for given in ("scale", "kind", "y"):
            chosen = choose_donors(blobs, rows, DonorKey(1, given, side))
            column = blobs.space.position(given)
            np.testing.assert_array_equal(blobs.values(chosen.rows)[:, column], blobs.values(rows[side])[:, column])
            assert (chosen.pairs != np.arange(60)).all()
    free = choose_donors(blobs, rows, DonorKey(1, None, "base"))
    assert (blobs.values(free.rows)[:, place] != blobs.values(pairs.base)[:, place]).mean() > 0.3
    with pytest.raises(CausalVAEError, match="CV535"):
        # Two pairs of different kinds: neither has a donor of its own kind.
        kind = blobs.space.position("kind")
        firsts = [int(np.flatnonzero(pairs.base[:, kind] == level)[0]) for level in (0, 1)]
        choose_donors(blobs, {side: drawn[firsts] for side, drawn in rows.items()}, DonorKey(1, "kind", "base"))


def test_a_value_that_none_shares_is_replaced_by_the_nearest(blobs: Blobs) -> None:
    levels = np.array([[0, 0, place, 0] for place in (0, 1, 4)])
    chosen = choose_donors(blobs, {"base": levels}, DonorKey(0, "x", "base"))
    assert chosen.pairs.tolist() == [1, 0, 1]


def one_hot(numbers: Tensor, codes: int) -> Tensor:
    return torch.nn.functional.one_hot(numbers, codes).movedim(-1, 1).float()


def test_a_swapped_code_is_any_other_and_a_drawn_one_is_as_frequent_as_observed() -> None:
    codes, rows = 5, 800
    numbers = torch.randint(0, codes, (rows, 2, 3), generator=torch.Generator().manual_seed(0))
    own = one_hot(numbers, codes)
    clean = CleanRuns({"base": {"n": own}}, rows)
    swapped = make_source("code_swap", seed=1).compute(SiteRuns("code", "n", "base", clean, Statistics()))
    assert torch.equal(swapped.sum(1), torch.ones(rows, 2, 3)) and set(swapped.unique().tolist()) == {0.0, 1.0}
    steps = (swapped.argmax(1) - numbers) % codes
    counts = np.bincount(steps.flatten(), minlength=codes)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 0.001
    # The same pairs in another shard are drawn the same.
    part = CleanRuns({"base": {"n": own[300:310]}}, 10, first=300)
    again = make_source("code_swap", seed=1).compute(SiteRuns("code", "n", "base", part, Statistics()))
    assert torch.equal(again, swapped[300:310])
    shares = torch.tensor([0.5, 0.0, 0.3, 0.2, 0.0])
    moments = Statistics(
        observed_mean=shares[None, :, None, None].expand(1, codes, 2, 3), observed_sd=torch.ones(1, codes, 2, 3)
    )
    drawn = make_source("code_frequency", seed=1).compute(SiteRuns("code", "n", "base", clean, moments))
    counts = np.bincount(drawn.argmax(1).flatten(), minlength=codes)
    assert counts[[1, 4]].sum() == 0
    taken = [0, 2, 3]
    assert stats.chisquare(counts[taken], shares[taken].double().numpy() * counts.sum()).pvalue > 0.001
