"""Codes of a VQ-VAE exchanged: against the codebook and the decoder called by hand, and what may be exchanged."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor

from causalvae.data.dataset import Grid
from causalvae.data.factors import Factor, FactorSpace, IntArray
from causalvae.data.pairs import draw_samples
from causalvae.engine.execute import execute_plan
from causalvae.errors import CausalVAEError
from causalvae.models.architectures import build
from causalvae.models.loading import Model, assemble
from causalvae.models.variants.quantiser import Quantiser
from causalvae.plan.ablations import code_components
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import ValueSource, make_source
from tests.plan.small_network import DOCUMENT

CODES, SAMPLES = 9, 20
SITE = "latent_layer.code"
WINDOW = ((0, 1), (1, 2))


class Squares(Grid):
    """Squares of random grey: 1 x 8 x 8."""

    name = "squares"
    # A world that can be asked without end: pairs may repeat.
    size = None
    space = FactorSpace((Factor("seed", "ordinal", tuple(float(k) for k in range(64))),))
    input_shape = (1, 8, 8)

    def inputs(self, levels: IntArray) -> Tensor:
        images = [np.random.default_rng(int(level)).random((1, 8, 8)) for level in levels[:, 0]]
        return torch.from_numpy(np.stack(images)).float()

    def describe(self) -> dict[str, Any]:
        return {"source": "squares"}


@pytest.fixture(scope="module")
def model() -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = build("vq", (1, 8, 8), 4, codes=CODES)
        with torch.no_grad():
            for parameter in vae.parameters():
                parameter.mul_(3.0 if parameter.ndim > 1 else 1.0)
        assert isinstance(vae.latent_layer, Quantiser)
        # Codes where the encoder's values are, so that inputs take several.
        vae.latent_layer.learn(vae.encode(torch.rand(64, 1, 8, 8)).mean, 0.0, 0.5, torch.Generator().manual_seed(1))
    return assemble(vae, False, "vq", {})


def measure(images: Tensor) -> Tensor:
    return images.flatten(1).double().sum(1, keepdim=True)


@torch.no_grad()
def by_hand(model: Model, source: ValueSource, window: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Sums of the decoded images, pair by pair and position by position."""
    layer = model.vae.latent_layer
    assert isinstance(layer, Quantiser)
    data = Squares()
    x = data.inputs(draw_samples(data, SAMPLES, 4))
    numbers = layer.numbers_of(model.vae.encode(x).mean).numpy()
    counts = np.bincount(numbers.ravel(), minlength=CODES)
    found = []
    for pair, own in enumerate(numbers):
        drawn = np.random.default_rng([source.seed, crc32(SITE.encode()), pair]).random(own.shape)
        taken = own.copy()
        rows, columns = (range(*span) for span in window) if window else map(range, own.shape)
        for row in rows:
            for column in columns:
                if source.kind == "code_swap":
                    others = [(own[row, column] + step) % CODES for step in range(1, CODES)]
                    taken[row, column] = others[int(drawn[row, column] * len(others))]
                else:
                    ends = np.cumsum(counts) / counts.sum()
                    taken[row, column] = int(np.flatnonzero(drawn[row, column] < ends)[0])
        z = layer.codebook[torch.from_numpy(taken)].movedim(-1, 0)[None]
        found.append(float(measure(model.vae.decode(z))))
    return np.array(found)


@pytest.mark.usefixtures("same_samples")
def test_exchanged_codes_are_those_of_the_codebook(model: Model, tmp_path: Path) -> None:
    sources = [make_source("code_swap", seed=5), make_source("code_frequency", seed=5)]
    cases = [(source, window) for source in sources for window in ((), WINDOW)]
    arms = [Arm(OBSERVED, "base", (Patch(SITE, None, source, window),), SAMPLES) for source, window in cases]
    clean = Arm(OBSERVED, "base", (), SAMPLES)
    options = Options(rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True)
    cohorts = (Cohort(OBSERVED, SAMPLES, 4),)
    plan = Plan(
        "codes", "s", "vq", cohorts, (clean, *arms), (), ("sum",), shard_pairs=7, batch_rows=16, options=options
    )
    found = execute_plan(plan, model, Squares(), measure, tmp_path, "cpu")
    for arm, (source, window) in zip(arms, cases, strict=True):
        expected = by_hand(model, source, window)
        np.testing.assert_allclose(found.values(arm.id, "sum"), expected, rtol=1e-5)
        assert np.abs(expected - found.values(clean.id, "sum")).max() > 0.01


def test_a_small_step_of_what_is_quantised_changes_nothing_and_an_exchange_does(model: Model, tmp_path: Path) -> None:
    """What makes effects of continuous perturbations near zero: the codebook takes the step back."""
    step = Arm(OBSERVED, "base", (Patch("latent.mean", (1,), make_source("sd", 1e-3)),), SAMPLES)
    swap = Arm(OBSERVED, "base", (Patch(SITE, None, make_source("code_swap", seed=5), WINDOW),), SAMPLES)
    plan = Plan("codes", "s", "vq", (Cohort(OBSERVED, SAMPLES, 4),), (step, swap), (), ("sum",))
    found = execute_plan(plan, model, Squares(), measure, tmp_path, "cpu")
    assert (found.values(step.id, "image_sq") == 0).mean() > 0.9
    assert (found.values(swap.id, "image_sq") > 0).all()


def test_only_whole_codes_can_be_exchanged(model: Model) -> None:
    parts = code_components(model.components.resolve(f"{SITE}[:, 0:1, 1:2]"))
    assert [part.window for part in parts] == [WINDOW]
    for address in ("code[3]", "latent"):
        with pytest.raises(CausalVAEError, match="CV316"):
            code_components(model.components.resolve(address))


def test_a_spec_names_one_kind_of_values() -> None:
    document = copy.deepcopy(DOCUMENT)
    latent = next(item for item in document["interventions"] if item["name"] == "sweep")["latent"]
    latent["values"] = {"codes": "swap", "sd": [1.0]}
    with pytest.raises(ValueError, match="exactly one of quantiles, sd, at, codes"):
        Spec.model_validate(document)
