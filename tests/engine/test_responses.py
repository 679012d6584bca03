"""What perturbations do inside, against products of matrices and the network itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalvae.engine.execute import execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.engine.response_table import OVERLAP, SPREAD, read_blocks
from causalvae.engine.responses import find_perturbed
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.plan.owner import Owner
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan, Use
from causalvae.spec.value_source import ValueSource, make_source
from tests.engine.conftest import Blobs, small_vae
from tests.engine.test_engine_linear import INPUTS, LATENTS, Vectors, linear, measure
from tests.targets import target

OWNER = Owner.intervention("perturb")
RNG = np.random.default_rng(3)
HIDDEN = RNG.normal(size=(7, LATENTS))
APART = np.zeros((7, LATENTS))
APART[:2, 0], APART[2:5, 1], APART[5:, 2] = 1.0, (-2.0, 0.5, 1.0), (0.3, -0.1)
OUT = RNG.normal(size=(INPUTS, 7))


def make_plan(latents: int, sources: Sequence[ValueSource], samples: int, sites: tuple[str, ...]) -> Plan:
    arms, uses = [Arm(OBSERVED, "base", (), samples)], []
    for latent in range(latents):
        for source in sources:
            arm = Arm(OBSERVED, "base", (Patch("latent", (latent,), source),), samples)
            arms.append(arm)
            uses.append(Use(OWNER, "perturbation", arm.id, target(f"latent[{latent}]"), "unit", len(uses)))
    cohorts = (Cohort(OBSERVED, samples, 2),)
    options = Options(rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True)
    return Plan(
        "p",
        "s",
        "m",
        cohorts,
        tuple(arms),
        tuple(uses),
        ("first", "second"),
        options=options,
        compared={OWNER.name: sites},
    )


def run_linear(
    hidden: np.ndarray, folder: Path, sources: Sequence[ValueSource] = (make_source("sd", 2.0),)
) -> Measurements:
    torch.manual_seed(0)
    encoder = nn.Linear(INPUTS, 2 * LATENTS)
    decoder = nn.Sequential(linear(hidden, np.zeros(7)), linear(OUT, np.zeros(INPUTS)))
    vae = VAE(encoder, decoder, LATENTS, (INPUTS,), activation="none", likelihood="gaussian")
    model = assemble(vae, False, "responses", {})
    return execute_plan(make_plan(LATENTS, sources, 20, ("decoder.0",)), model, Vectors(), measure, folder, "cpu")


def overlaps(found: Measurements) -> dict[str, tuple[list[tuple[str, str]], np.ndarray]]:
    return {site: (labels, block) for site, labels, block in read_blocks(found.responses, OWNER, OVERLAP)}


def test_a_linear_layer_overlaps_by_its_columns(tmp_path: Path) -> None:
    labels, block = overlaps(run_linear(HIDDEN, tmp_path))["decoder.0"]
    assert labels == [(f"latent[{i}]", f"latent[{j}]") for i, j in combinations(range(LATENTS), 2)]
    unit = HIDDEN / np.linalg.norm(HIDDEN, axis=0)
    for (i, j), row in zip(combinations(range(LATENTS), 2), block, strict=True):
        np.testing.assert_allclose(row, abs(unit[:, i] @ unit[:, j]), atol=1e-5)


def test_latents_that_move_other_units_do_not_overlap(tmp_path: Path) -> None:
    _, block = overlaps(run_linear(APART, tmp_path))["decoder.0"]
    assert np.array_equal(block, np.zeros_like(block))


@pytest.mark.usefixtures("same_samples")
def test_the_spread_of_a_linear_decoder_is_that_of_its_column(tmp_path: Path) -> None:
    found = run_linear(HIDDEN, tmp_path, (make_source("quantile", 0.1), make_source("quantile", 0.9)))
    ((site, labels, block),) = read_blocks(found.responses, OWNER, SPREAD)
    assert site == "output" and labels == [(f"latent[{i}]", "") for i in range(LATENTS)]
    column = np.abs(OUT @ HIDDEN)
    share = column / column.sum(axis=0)
    np.testing.assert_allclose(block, np.repeat(-(share * np.log(share)).sum(axis=0)[:, None], 20, axis=1), atol=1e-5)


def test_a_change_of_nothing_is_undefined(tmp_path: Path) -> None:
    dead = HIDDEN.copy()
    dead[:, 1] = 0.0
    found = run_linear(dead, tmp_path)
    labels, block = overlaps(found)["decoder.0"]
    for (first, second), row in zip(labels, block, strict=True):
        assert np.isnan(row).all() == ("latent[1]" in (first, second))
    ((_, _, spread),) = read_blocks(found.responses, OWNER, SPREAD)
    assert np.isnan(spread[1]).all() and np.isfinite(spread[[0, 2]]).all()


@pytest.fixture(scope="module")
def model() -> Model:
    return assemble(small_vae(0), False, "small", {})


def blob_measure(outputs: Tensor) -> Tensor:
    return torch.stack([outputs.double().mean((1, 2, 3)), outputs.double().amax((1, 2, 3))], 1)


@pytest.mark.usefixtures("same_samples")
def test_a_convolutional_decoder_equals_the_network_itself(model: Model, tmp_path: Path) -> None:
    sources = (make_source("quantile", 0.113), make_source("quantile", 0.807))
    plan = make_plan(4, sources, 70, ("decoder.lin1", "decoder.convT1"))
    data = Blobs()
    found = execute_plan(plan, model, data, blob_measure, tmp_path, "cpu")
    z = found.observations[[f"latent:{k}" for k in range(4)]].to_numpy(np.float32)
    seen: dict[str, Tensor] = {}
    decoder = model.vae.decoder
    hooks = [
        module.register_forward_hook(lambda module, given, value, name=name: seen.update({name: torch.relu(value)}))
        for name, module in (("decoder.lin1", decoder.lin1), ("decoder.convT1", decoder.convT1))
    ]
    pairs = 64
    moved: dict[tuple[str, int, float], np.ndarray] = {}

    def watch(latents: np.ndarray) -> dict[str, np.ndarray]:
        with torch.no_grad():
            output = model.vae.decode(torch.from_numpy(latents.copy()))
        return {name: value.flatten(1).double().numpy().copy() for name, value in {**seen, "output": output}.items()}

    clean = watch(z[:pairs])
    for latent in range(4):
        for source in sources:
            there = z[:pairs].copy()
            there[:, latent] = np.quantile(z[:, latent], source.value or 0.0)
            for name, value in watch(there).items():
                moved[name, latent, source.value or 0.0] = value - clean[name]
    for hook in hooks:
        hook.remove()

    blocks = overlaps(found)
    assert set(blocks) == {"decoder.lin1", "decoder.convT1"}
    for site, (_, block) in blocks.items():
        assert block.shape == (6, pairs)
        for number, (i, j) in enumerate(combinations(range(4), 2)):
            values = []
            for source in sources:
                a, b = (moved[site, latent, source.value or 0.0] for latent in (i, j))
                lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
                # A value that a sample has already changes nothing in it.
                values.append(np.abs((a * b).sum(1)) / np.where(lengths > 1e-9, lengths, np.nan))
            np.testing.assert_allclose(block[number], np.nanmean(values, axis=0), atol=2e-3)
    ((_, _, spread),) = read_blocks(found.responses, OWNER, SPREAD)
    for latent in range(4):
        values = []
        for source in sources:
            share = np.abs(moved["output", latent, source.value or 0.0])
            share /= np.where(share.sum(1, keepdims=True) > 1e-9, share.sum(1, keepdims=True), np.nan)
            values.append(-(share * np.log(np.maximum(share, 1e-300))).sum(1))
        np.testing.assert_allclose(spread[latent], np.nanmean(values, axis=0), atol=2e-3)


def test_responses_are_kept_beside_the_tables(model: Model, tmp_path: Path) -> None:
    plan = make_plan(4, (make_source("zero"),), 10, ("decoder.lin1",))
    first = execute_plan(plan, model, Blobs(), blob_measure, tmp_path, "cpu").responses
    (path,) = tmp_path.glob("responses/*.parquet")
    written = path.stat().st_mtime_ns
    again = execute_plan(plan, model, Blobs(), blob_measure, tmp_path, "cpu").responses
    assert path.stat().st_mtime_ns == written
    assert first.equals(again.astype(first.dtypes.to_dict()))
    # Other layers are another table of the same outcomes.
    other = replace(plan, compared={OWNER.name: ("decoder.convT1",)})
    assert other.tables_digest == plan.tables_digest
    assert list(overlaps(execute_plan(other, model, Blobs(), blob_measure, tmp_path, "cpu"))) == ["decoder.convT1"]


def test_few_samples_are_run_where_latents_are_many() -> None:
    plan = make_plan(4, (make_source("zero"),), 500, ("decoder.lin1",))
    (found,) = find_perturbed(plan)
    assert found.pairs == 64 and len(found.arms) == 1 and len(found.arms[0]) == 4
    many = make_plan(400, (make_source("zero"),), 500, ("decoder.lin1",))
    assert find_perturbed(many)[0].pairs == 2_000_000 // (400 * 399 // 2)
    assert find_perturbed(replace(plan, latent_attributes={"first": 0, "second": 1}, options=Options(stop=True))) == ()


def test_a_single_sample_has_responses_of_its_own(model: Model, tmp_path: Path) -> None:
    plan = make_plan(4, (make_source("zero"),), 2, ("decoder.lin1",))
    few = {arm.id: replace(arm, pairs=1) for arm in plan.arms if arm.patches}
    arms = tuple(few.get(arm.id, arm) for arm in plan.arms)
    uses = tuple(replace(use, arm=few[use.arm].id) for use in plan.uses)
    found = execute_plan(replace(plan, arms=arms, uses=uses), model, Blobs(), blob_measure, tmp_path, "cpu")
    assert found.responses["pair"].unique().tolist() == [0]
    whole = execute_plan(plan, model, Blobs(), blob_measure, tmp_path / "whole", "cpu").responses
    first = whole[whole["pair"] == 0]["value"].to_numpy()
    assert np.array_equal(found.responses["value"].to_numpy(), first, equal_nan=True)
