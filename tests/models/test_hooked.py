"""Networks run by forward hooks against the same networks as captured graphs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import prod

import pytest
import torch
from torch import Tensor

from causalvae.engine.lowering import lower
from causalvae.engine.memory import BatchSize
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.suffix import Ledger
from causalvae.engine.values import MIN_ROWS, CleanRuns
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked import HookedNetwork
from causalvae.models.hooked_sites import find_hooked_sites
from causalvae.models.loading import Model
from causalvae.plan.types import Arm, Patch
from causalvae.spec.value_source import make_source
from tests.models.fixtures import FIXTURES, LATENTS, OUTPUTS
from tests.models.test_capture import NAMES, assembled, hook_values, inputs_of

ROWS = MIN_ROWS
INTERCHANGE = make_source("interchange")


@cache
def hooked(name: str, sample: bool = True) -> Model:
    """A fixture's model, run by hooks although it could be captured."""
    model = assembled(name, sample)
    network = capture_by_hooks(model.network, inputs_of(name, 3), OUTPUTS)
    return replace(model, graph=network, components=find_hooked_sites(network, LATENTS, name))


def shard_of(name: str, rows: int = ROWS) -> ShardInputs:
    (x, noise), (other, _) = inputs_of(name, rows), inputs_of(name, rows, seed=8)
    return ShardInputs("c", 0, {"base": x, "counterfactual": other}, noise)


def run_arms(model: Model, clean: CleanRuns, patches: list[tuple[Patch, ...]], rows: int, **shortcuts: bool) -> Tensor:
    """Outputs of arms that patch the same sites on the base side, (arms, rows, ...); those left out are clean."""
    arms = [Arm("c", "base", given, rows) for given in patches]
    group = Group(model.graph, model.components, arms, clean, {}, [rows] * len(arms), Shortcuts(**shortcuts))
    output = clean.sides["base"][model.graph.outputs["output"]].flatten(1).repeat(len(arms), 1, 1)
    for batch in group.batches(group.live(), BatchSize(64)):
        output[batch.arms, batch.pairs] = batch.output.flatten(1)
    return output


@pytest.mark.parametrize(("name", "sample"), [*((name, True) for name in NAMES), ("tuple", False), ("in-place", False)])
def test_hooks_reach_the_sites_of_the_graph(name: str, sample: bool) -> None:
    def told(model: Model) -> dict[str, tuple[object, ...]]:
        return {site.name: (site.stage, site.kind, site.shape, site.is_leaf) for site in model.components.sites}

    assert told(hooked(name, sample)) == told(assembled(name, sample))
    assert hooked(name, sample).graph.how == "hooks"


@pytest.mark.parametrize("name", NAMES)
def test_clean_values_are_those_of_the_graph_bit_for_bit(name: str) -> None:
    model, captured = hooked(name), assembled(name, True)
    with torch.inference_mode():
        for rows in (1, 2, 17):
            x, noise = inputs_of(name, rows, seed=rows)
            values, expected = model.graph.run(x, noise), captured.graph.run(x, noise)
            for site in model.components.sites:
                node = captured.components.site(site.name).node
                assert torch.equal(values[site.node], expected[node]), (site.name, rows)
                alone = model.graph.run(x, noise, keep=[site.node])
                assert set(alone) == {site.node, *model.graph.outputs.values()}
                assert torch.equal(alone[site.node], expected[node])
            for output, node in captured.graph.outputs.items():
                assert torch.equal(values[model.graph.outputs[output]], expected[node]), (output, rows)


@pytest.mark.parametrize("name", NAMES)
def test_patches_agree_with_the_graph_and_with_plain_hooks(name: str) -> None:
    model, captured = hooked(name), assembled(name, True)
    inputs = shard_of(name)
    with torch.inference_mode():
        clean, expected = run_clean(model.graph, inputs), run_clean(captured.graph, inputs)
        for site in model.components.sites:
            patches: list[tuple[Patch, ...]] = [
                (Patch(site.name, None, INTERCHANGE),),
                (Patch(site.name, (0,), INTERCHANGE),),
                (Patch(site.name, (site.units - 1,), make_source("constant", 2.0)),),
            ]
            found = run_arms(model, clean, patches, ROWS)
            by_graph = run_arms(captured, expected, patches, ROWS, suffix=False, low_rank=False, windows=False)
            assert torch.allclose(found, by_graph, rtol=1e-6, atol=1e-6), site.name
            if site.name in FIXTURES[name].hooks:
                path, call = FIXTURES[name].hooks[site.name]
                x, other = inputs.sides["base"], inputs.sides["counterfactual"]
                donor, _ = hook_values(model.vae, other, inputs.noise, path, call, None)
                _, plain = hook_values(model.vae, x, inputs.noise, path, call, donor)
                assert torch.allclose(found[0], plain.flatten(1), rtol=1e-6, atol=1e-6), site.name


@pytest.mark.parametrize("name", NAMES)
def test_patching_with_itself_changes_nothing_bit_for_bit(name: str) -> None:
    model = hooked(name)
    inputs = shard_of(name, 6)
    with torch.inference_mode():
        side = run_clean(model.graph, inputs).sides["base"]
        clean = CleanRuns({"base": side, "counterfactual": side}, 6)
        expected = side[model.graph.outputs["output"]]
        for site in model.components.sites:
            for units in (None, (0,)):
                (found,) = run_arms(model, clean, [(Patch(site.name, units, INTERCHANGE),)], 6, dead_rows=False)
                assert torch.equal(found, expected.flatten(1)), (site.name, units)


def test_patches_at_several_sites_follow_each_other() -> None:
    name = "reused module"
    model, captured = hooked(name), assembled(name, True)
    inputs = shard_of(name)
    patches = [
        (
            Patch("encoder.mix#2@pre", (1, 2), INTERCHANGE),
            Patch("encoder.mix#2", (2, 5), make_source("constant", 0.5)),
            Patch("latent.noise", (0,), make_source("zero")),
            Patch("decoder.lin1@pre", (3,), INTERCHANGE),
        )
    ]
    with torch.inference_mode():
        found = run_arms(model, run_clean(model.graph, inputs), patches, ROWS)
        expected = run_arms(captured, run_clean(captured.graph, inputs), patches, ROWS)
        assert torch.allclose(found, expected, rtol=1e-6, atol=1e-6)
        # An activation that is patched on both sides loses what was patched before it, where that is patched again.
        assert not torch.allclose(found[0], model.graph.run(inputs.sides["base"], inputs.noise)["returned.output"])


def test_dead_rows_are_not_run_and_every_other_pays_a_whole_pass() -> None:
    name = "sequential"
    model = hooked(name)
    assert isinstance(model.graph, HookedNetwork)
    inputs = shard_of(name)
    with torch.inference_mode():
        clean = run_clean(model.graph, inputs)
        node = model.components.site("encoder.1").node
        moved = clean.sides["base"][node][:, 0] != clean.sides["counterfactual"][node][:, 0]
        assert 0 < int(moved.sum()) < ROWS, "the example must have both kinds of row"
        arm = Arm("c", "base", (Patch("encoder.1", (0,), INTERCHANGE),), ROWS)
        group = Group(model.graph, model.components, [arm], clean, {}, [ROWS], Shortcuts())
        assert torch.equal(group.live()[0], moved)
        ledger = Ledger()
        list(group.batches(group.live(), BatchSize(64), ledger))
    assert ledger.flops == ledger.rows * model.graph.flops == ledger.rows * model.components.operations[-1].flops
    assert ledger.bytes == ledger.rows * model.graph.bytes
    for site in model.components.sites:
        assert site.rerun_cost == 1.0
        operations = model.components.operations
        assert sum(operations[place].flops for place in site.downstream) == model.graph.flops
        kept = {operations[place].name: operations[place].size for place in site.reads}
        assert kept == {node: 4 * prod(model.graph.shape(node)) for node in (*model.graph.inputs, site.node)}


@pytest.mark.parametrize("name", ["sequential", "residual", "batch norm"])
def test_a_pass_costs_what_the_graph_costs(name: str) -> None:
    graph, network = assembled(name, True).graph, hooked(name).graph
    assert network.flops == pytest.approx(graph.flops, rel=0.02)


def test_lowering_leaves_a_hooked_network_as_it_is() -> None:
    graph = hooked("tuple").graph
    assert lower(graph) is graph
    assert graph.to(torch.device("cpu")) is graph


def test_another_precision_is_another_network() -> None:
    graph = hooked("skip connection").graph
    x, noise = (value.double() for value in inputs_of("skip connection", 4))
    double = graph.to(torch.device("cpu"), torch.float64)
    values, single = double.run(x, noise), graph.run(x.float(), noise.float())
    output = graph.outputs["output"]
    assert values[output].dtype == torch.float64
    assert torch.allclose(values[output].float(), single[output], rtol=1e-5, atol=1e-6)
    assert single[output].dtype == torch.float32
