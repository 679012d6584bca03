"""Only the clean values that a re-run reads are kept, and they suffice."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from causalvae.engine.lowering import lower
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import Keep, needed_values
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.values import CleanRuns
from causalvae.models.loading import Model, assemble
from causalvae.models.operators import OperatorGraph
from causalvae.plan.types import Arm, Patch
from causalvae.spec.value_source import make_source
from tests.engine.test_shortcuts import arms_of, make, shard
from tests.models.fixtures import FIXTURES, make_vae

CASES = [
    Shortcuts(),
    Shortcuts(dead_rows=False),
    Shortcuts(windows=False),
    Shortcuts(low_rank=False, windows=False),
    Shortcuts(suffix=False, dead_rows=False, low_rank=False, windows=False),
]
OUTPUT = ("output",)
DECODERS = {"Burgess's network": "burgess", "a residual decoder": "residual", "a strided decoder": "strided"}


def network(name: str) -> Model:
    return make(DECODERS[name]) if name in DECODERS else assemble(make_vae(name), True, name, {})


def rerun(model: Model, graph: OperatorGraph, arms: list[Arm], clean: CleanRuns, shortcuts: Shortcuts) -> list[Tensor]:
    group = Group(graph, model.components, arms, clean, {}, [clean.rows] * len(arms), shortcuts)
    return [batch.output for batch in group.batches(group.live(), BatchSize(64))]


def kept(model: Model, graph: OperatorGraph, arms: Sequence[Arm], shortcuts: Shortcuts) -> Keep:
    return needed_values(graph, model.components, arms, shortcuts, OUTPUT)


@pytest.mark.parametrize("name", [*(pytest.param(name, marks=pytest.mark.slow) for name in DECODERS), *FIXTURES])
def test_what_is_kept_suffices(name: str) -> None:
    """Site by site, so that nothing is there only because another site needs it."""
    model = network(name)
    graph = lower(model.graph)
    inputs = shard(model)
    arms_by_site = arms_of(model)
    cases = CASES
    if DECODERS.get(name) == "burgess":
        # Where it is slow to run, from a vector through a view to an image, and from an image to a vector.
        cases = CASES[:1]
        arms_by_site = {site: arms_by_site[site] for site in ("encoder.conv3", "decoder.lin2@pre", "decoder.convT2")}
    with torch.inference_mode():
        everything = run_clean(graph, inputs)
        for arms in arms_by_site.values():
            for shortcuts in cases:
                keep = kept(model, graph, arms, shortcuts)
                few = run_clean(graph, inputs, keep)
                computed = {op.name for op in graph.operations if op.batched and op.aligned}
                assert computed & few.sides["base"].keys() == computed & keep.sides["base"]
                expected = rerun(model, graph, arms, everything, shortcuts)
                found = rerun(model, graph, arms, few, shortcuts)
                assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_little_is_kept_where_a_layer_is_patched_as_a_whole() -> None:
    model = make("burgess")
    graph = lower(model.graph)
    arm = Arm("c", "base", (Patch("encoder.conv1", None, make_source("interchange")),), 20)
    keep = kept(model, graph, [arm], Shortcuts())
    node = model.components.site("encoder.conv1").node
    assert keep.sides["base"] == {*graph.inputs, *graph.outputs.values(), node}
    # A channel enters the next convolution as a difference, whose clean value is then read; what follows is whole.
    channel = Arm("c", "base", (Patch("encoder.conv1", (3,), make_source("interchange")),), 20)
    more = kept(model, graph, [channel], Shortcuts()).sides["base"] - keep.sides["base"]
    assert [graph.by_name[name].shape for name in more] == [(32, 16, 16)]
    assert kept(model, graph, [channel], Shortcuts(low_rank=False, windows=False)) == keep
    assert keep.numbers(graph) < kept(model, graph, [channel], Shortcuts()).numbers(graph)


def test_donors_keep_only_what_they_give() -> None:
    model = make("residual")
    graph = lower(model.graph)
    inputs = shard(model)
    x, noise = inputs.sides["counterfactual"], inputs.noise
    key = make_source("resample", seed=7).donor_key("base")
    inputs = ShardInputs("c", 0, inputs.sides, noise, {key: (x, noise)})
    arm = Arm("c", "base", (Patch("latent", (1,), make_source("resample", seed=7)),), 20)
    keep = kept(model, graph, [arm], Shortcuts())
    assert keep.donors == {key: {graph.outputs["latent"]}}
    with torch.inference_mode():
        clean = run_clean(graph, inputs, keep)
    # What stands for the donors is the other side here, so resampling is an interchange.
    swapped = Arm("c", "base", (Patch("latent", (1,), make_source("interchange")),), 20)
    with torch.inference_mode():
        (found,) = rerun(model, graph, [arm], clean, Shortcuts())
        (expected,) = rerun(model, graph, [swapped], clean, Shortcuts())
    assert torch.equal(found, expected)


@pytest.mark.parametrize("rows", [16, 19])
def test_clean_runs_in_parts_have_the_same_bits(rows: int) -> None:
    model = make("strided")
    graph = lower(model.graph)
    inputs = shard(model)
    with torch.inference_mode():
        whole = run_clean(graph, inputs)
        parts = run_clean(graph, inputs, size=BatchSize(rows))
    for name, value in whole.sides["counterfactual"].items():
        if graph.aligned(name):
            assert torch.equal(parts.sides["counterfactual"][name], value), name
