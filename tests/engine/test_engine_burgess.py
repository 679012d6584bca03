"""The exact controls on the network that the package ships, at every site, in the memory layout that it runs in."""

from __future__ import annotations

import pytest
import torch

from causalvae.data.dataset import DspritesDataset
from causalvae.data.pairs import draw_pairs
from causalvae.engine.controls import check_engine
from causalvae.engine.lowering import lower
from causalvae.engine.rerun import Shortcuts
from causalvae.engine.shards import ShardInputs
from causalvae.models.burgess import burgess
from causalvae.models.loading import Model, assemble, randomise
from causalvae.models.vae import PosteriorLayout
from causalvae.plan.controls import exact_arms
from causalvae.plan.types import Arm, Patch
from causalvae.spec.value_source import make_source


def shard() -> ShardInputs:
    data = DspritesDataset()
    pairs = draw_pairs(data, factor="scale", samples=6, seed=3)
    noise = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    return ShardInputs(
        "c", 0, {"base": data.inputs(pairs.base), "counterfactual": data.inputs(pairs.counterfactual)}, noise
    )


def assert_exact(model: Model) -> None:
    sites = tuple(site.name for site in model.components.sites)
    arms = exact_arms("c", sites, 6)
    with torch.inference_mode():
        plain = check_engine(model.graph, model.components, model.network, arms, shard(), 64, Shortcuts())
        found = check_engine(lower(model.graph), model.components, model.network, arms, shard(), 64, Shortcuts())
    assert (plain.self_patch, plain.full_patch, plain.network) == (0.0, 0.0, 0.0)
    assert (found.self_patch, found.full_patch) == (0.0, 0.0)
    assert found.network < 1e-5
    assert (found.sites, found.pairs) == (len(sites), 6)


@pytest.mark.parametrize(("sample", "layout"), [(False, "interleaved"), (True, "chunk")])
def test_exact_controls_hold_at_every_site(sample: bool, layout: PosteriorLayout) -> None:
    torch.manual_seed(0)
    model = assemble(burgess(layout=layout), sample, "burgess", {})
    assert_exact(model)
    assert_exact(randomise(model, 1))


def test_exact_controls_can_fail() -> None:
    """A value that is not the own one, a part of the latent in place of all of it, and another network."""
    torch.manual_seed(0)
    model = assemble(burgess(), False, "burgess", {})
    patches = (Patch("latent", None, make_source("zero")), Patch("latent", (0, 1), make_source("interchange")))
    arms = [Arm("c", "base", (patch,), 6) for patch in patches]
    with torch.inference_mode():
        found = check_engine(model.graph, model.components, randomise(model, 1).network, arms, shard(), 64, Shortcuts())
    assert found.self_patch > 0 and found.full_patch is not None and found.full_patch > 0
    assert found.network > 1e-3
