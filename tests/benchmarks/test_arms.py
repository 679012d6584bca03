"""Every way of running the sweep gives the hook loop's outcomes, so that the benchmark compares like with like."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from benchmarks.arm import BenchmarkArm, compare, outcome_scale
from benchmarks.engine import EngineArm, pass_sets
from benchmarks.floor import count_live
from benchmarks.peers import PEERS, make_peer
from benchmarks.report import TOLERANCE
from benchmarks.timing import one_thread
from benchmarks.workload import Workload, burgess_workload
from causalvae.plan.passes import PASSES

PAIRS = 6
SITES = {"encoder.conv1": (0, 7, 31), "encoder.conv_64": (3,), "latent": (2, 8), "decoder.lin3": (5, 300)}
SITES |= {"decoder.convT2": (0, 30)}


@pytest.fixture(scope="module")
def workload() -> Iterator[Workload]:
    with one_thread():
        yield burgess_workload("dsprites-disentangled", PAIRS)


@pytest.fixture(scope="module")
def expected(workload: Workload) -> list[np.ndarray]:
    return outcomes(make_peer("hook loop", workload), workload)


def outcomes(arm: BenchmarkArm, workload: Workload) -> list[np.ndarray]:
    found = []
    for name, units in SITES.items():
        site = workload.site(name)
        arm.prepare(site)
        found.append(arm.read(arm.run(site, units), units))
    return found


def test_the_sweep_has_1760_units_of_12_layers_and_10_latents(workload: Workload) -> None:
    hidden = [site for site in workload.sites if site.name != "latent"]
    assert len(hidden) == 12
    assert sum(site.units for site in hidden) == 1760
    assert workload.site("latent").units == 10


def test_hook_loop_gives_what_the_network_gives_with_the_layer_written_out(
    workload: Workload, expected: list[np.ndarray]
) -> None:
    vae, unit = workload.plain, SITES["decoder.convT2"][0]
    with torch.no_grad():

        def last_hidden(x: torch.Tensor) -> torch.Tensor:
            z = vae.encode(x).mean
            y = vae.decoder.lin3(torch.relu(vae.decoder.lin2(torch.relu(vae.decoder.lin1(z))))).relu()
            y = vae.decoder.convT1(torch.relu(vae.decoder.convT_64(y.unflatten(1, (32, 4, 4))))).relu()
            return torch.relu(vae.decoder.convT2(y))

        patched = last_hidden(workload.base)
        patched[:, unit] = last_hidden(workload.counterfactual)[:, unit]
        images = torch.sigmoid(vae.decoder.convT3(patched))
        clean = vae(workload.base)
    by_hand = np.stack([((images - clean) ** 2).sum((1, 2, 3)).numpy(), images.sum((1, 2, 3)).numpy()], axis=1)
    np.testing.assert_allclose(expected[-1][0], by_hand, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in PEERS if name != "hook loop"])
def test_peer_agrees_with_the_hook_loop(name: str, workload: Workload, expected: list[np.ndarray]) -> None:
    package = PEERS[name][0]
    if package is not None and find_spec(package) is None:
        pytest.skip(f"{package} is not installed (pip install causalvae[bench])")
    found = outcomes(make_peer(name, workload), workload)
    assert max(compare(found, expected, outcome_scale(workload))) <= TOLERANCE
    assert min(np.abs(rows).max() for rows in expected) > 0.01


def test_engine_agrees_with_the_hook_loop_whatever_passes_run(workload: Workload, expected: list[np.ndarray]) -> None:
    chosen = pass_sets(workload)
    assert chosen[0].passes == ()
    assert len(chosen) > 2
    assert set(chosen[-1].passes) <= set(PASSES)
    for passes in chosen:
        found = outcomes(EngineArm(workload, passes), workload)
        assert max(compare(found, expected, outcome_scale(workload))) <= TOLERANCE, passes.name


def test_engine_runs_the_rows_that_the_floor_counts(workload: Workload) -> None:
    engine = EngineArm(workload, pass_sets(workload)[-1])
    graph = workload.model.graph
    noise = torch.zeros((PAIRS, workload.model.vae.latent_dim))
    with torch.inference_mode():
        base, other = graph.run(workload.base, noise), graph.run(workload.counterfactual, noise)
    live = {}
    for name in ("encoder.conv2", "encoder.lin2"):
        site = workload.site(name)
        node = workload.model.components.site(name).node
        live[name] = count_live(site, base[node], other[node])
        assert engine.count_live(engine.run(site, range(site.units))) == live[name]
    assert 0 < sum(live.values()) < PAIRS * (32 + 256)
