"""Batches and shards fit the memory that there is, and neither changes a number."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from causalvae.engine import memory, packing
from causalvae.engine.execute import execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.engine.memory import free_memory
from causalvae.engine.packing import pack_for, settle_shards
from causalvae.errors import CausalVAEError
from causalvae.models import operators
from causalvae.models.loading import Model
from causalvae.plan.passes import pack
from causalvae.plan.types import OBSERVED, Arm, Cohort, Options, Patch, Plan, Treatment
from causalvae.spec.value_source import make_source
from tests.engine.conftest import SIDE, Blobs

PAIRS = 80
UNITS = (("encoder.conv1", 6), ("encoder.lin1", 20), ("latent", 4), ("decoder.lin2", 72), ("decoder.convT1", 6))
SWAP, DRAW = make_source("interchange"), make_source("resample", seed=2)
PLAN = Plan(
    name="packing",
    spec_digest="s",
    model_digest="small",
    cohorts=(
        Cohort(OBSERVED, 20, 1),
        Cohort("resize", PAIRS, 1, Treatment("resize", "scale", None, "hold", "increase")),
    ),
    arms=(
        Arm(OBSERVED, "base", (), 20),
        Arm("resize", "base", (), PAIRS),
        Arm("resize", "counterfactual", (), PAIRS),
        *(
            Arm("resize", "base", (Patch(site, (unit,), SWAP),), PAIRS)
            for site, units in UNITS
            for unit in range(min(units, 6))
        ),
        Arm("resize", "base", (Patch("encoder.conv2", None, DRAW),), PAIRS),
        Arm("resize", "counterfactual", (Patch("latent", None, make_source("mean")),), PAIRS),
    ),
    uses=(),
    attributes=("area", "weighted"),
    options=Options(rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True, pack=True),
    auto_rows=True,
)
CPU = torch.device("cpu")


def read(images: Tensor) -> Tensor:
    flat = images.flatten(1).double()
    weights = torch.linspace(0, 1, SIDE * SIDE, dtype=torch.float64)
    return torch.stack([flat.sum(1), (flat * weights).sum(1)], dim=1)


def run(model: Model, folder: Path, **changes: Any) -> Measurements:
    return execute_plan(replace(PLAN, **changes), model, Blobs(), read, folder, "cpu")


def assert_same(one: Measurements, other: Measurements) -> None:
    for arm in PLAN.arms:
        assert one.arm(arm.id).equals(other.arm(arm.id))


@pytest.fixture
def one_core() -> Any:
    allowed = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(allowed)


@pytest.fixture(scope="module")
def plenty(sample_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Measurements:
    return run(sample_model, tmp_path_factory.mktemp("plenty"), memory=10**10)


class LiveBytes(TorchDispatchMode):
    """Follows the bytes of all tensors that operations make, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.peak = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, Tensor):
                self._follow(tensor)
        return found

    def _follow(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage.data_ptr()
        if key in self._known:
            return
        size = storage.nbytes()
        self._known[key] = size
        self.live += size
        self.peak = max(self.peak, self.live)
        # A view keeps its base alive, so the storage goes with the last tensor that is made of it.
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.live -= self._known.pop(key, 0)


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("budget", [2_000_000, 700_000])
def test_activations_stay_within_the_declared_budget(budget: int, sample_model: Model, tmp_path: Path) -> None:
    def peak(name: str, **changes: Any) -> int:
        mode = LiveBytes()
        with mode:
            run(sample_model, tmp_path / name, **changes)
        return mode.peak

    within = peak("within", memory=budget)
    beyond = peak("beyond", options=replace(PLAN.options, pack=False), shard_pairs=PAIRS, batch_rows=1024)
    assert within <= budget < beyond


@pytest.mark.parametrize("megabytes", [0.1, 0.5, 2])
def test_little_memory_changes_no_number(
    megabytes: float, plenty: Measurements, sample_model: Model, tmp_path: Path
) -> None:
    found = run(sample_model, tmp_path, memory=int(megabytes * 1e6))
    assert_same(found, plenty)
    assert found.manifest["shard_pairs"] < plenty.manifest["shard_pairs"] or megabytes == 2
    assert 32 <= found.manifest["batch_rows"] <= plenty.manifest["batch_rows"] == 64
    if megabytes < 1:
        assert found.manifest["batch_rows"] < 64


@pytest.mark.parametrize("limit", [32, 40])
def test_running_out_of_memory_changes_no_number(
    limit: int, plenty: Measurements, sample_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An allocator that refuses any operation over more than so many rows."""
    refused = []

    def evaluate(operation: Any, environment: Any, rows: int, real: Callable[..., Any] = operators.evaluate) -> Any:
        if rows > limit:
            refused.append(rows)
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return real(operation, environment, rows)

    monkeypatch.setattr("causalvae.models.operators.evaluate", evaluate)
    monkeypatch.setattr("causalvae.engine.suffix.evaluate", evaluate)
    # The control is a whole forward pass of the first shard, which has no batches.
    found = run(sample_model, tmp_path, memory=10**10)
    assert refused
    assert_same(found, plenty)
    assert found.manifest["batch_rows"] == 32
    # What was learned is kept: only the first shard of a worker, the statistics and the control try what is too much.
    assert len(refused) <= 2 * (torch.get_num_threads() + 4)


@pytest.mark.usefixtures("one_core")
def test_memory_that_never_suffices_is_told(
    sample_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(*arguments: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("causalvae.models.operators.evaluate", evaluate)
    monkeypatch.setattr("causalvae.engine.suffix.evaluate", evaluate)
    with pytest.raises(CausalVAEError) as caught:
        run(sample_model, tmp_path, memory=10**10)
    assert caught.value.code == "CV408"


@pytest.mark.usefixtures("one_core")
def test_a_run_that_goes_on_with_less_memory_keeps_its_shards(sample_model: Model, tmp_path: Path) -> None:
    run(sample_model, tmp_path, memory=800_000)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    shards = sorted((tmp_path / "outcomes").glob("resize.*.parquet"))
    assert len(shards) > 2
    shards[1].unlink()
    found = run(sample_model, tmp_path, memory=300_000)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before
    assert found.manifest["shard_pairs"] == json.loads((tmp_path / "packing.json").read_text())["shard_pairs"]


def test_of_two_beginnings_the_first_settles_the_shards(tmp_path: Path) -> None:
    path = tmp_path / "packing.json"
    assert settle_shards(replace(PLAN, shard_pairs=32), path).shard_pairs == 32
    assert settle_shards(replace(PLAN, shard_pairs=8), path).shard_pairs == 32
    assert [found.name for found in tmp_path.iterdir()] == ["packing.json"]


def test_many_workers_have_shards_of_fewer_pairs(sample_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "NARROW_BYTES", 0.0)
    plan = replace(PLAN, cohorts=(PLAN.cohorts[0], replace(PLAN.cohorts[1], samples=2048)), memory=2**36)
    assert [pack_for(plan, sample_model, CPU, workers).shard_pairs for workers in (1, 4, 5)] == [128, 128, 64]


def test_a_gpu_is_filled_and_workers_share(sample_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {"cpu": 40e6, "cuda": 400e6}
    monkeypatch.setattr(packing, "free_memory", lambda device: free[device.type])
    gpu = pack_for(PLAN, sample_model, torch.device("cuda"), 1)
    alone, shared = (pack_for(PLAN, sample_model, CPU, workers) for workers in (1, 8))
    assert gpu.batch_rows == 1024
    assert alone.batch_rows == 64
    assert shared.batch_rows < 64
    assert shared.shard_pairs <= alone.shard_pairs <= gpu.shard_pairs
    # A declared budget goes before what is free, a given number of rows before both.
    assert pack_for(replace(PLAN, memory=10**6), sample_model, torch.device("cuda"), 1).batch_rows < 1024
    given = replace(PLAN, auto_rows=False, batch_rows=500)
    assert pack_for(given, sample_model, CPU, 8).batch_rows == 500
    unpacked = replace(PLAN, options=replace(PLAN.options, pack=False), shard_pairs=33)
    assert pack_for(unpacked, sample_model, CPU, 1) == unpacked


def test_half_the_bytes_a_number_let_more_rows_in(sample_model: Model) -> None:
    single = pack_for(replace(PLAN, memory=1_000_000), sample_model, CPU, 1)
    half = replace(PLAN, memory=1_000_000, options=replace(PLAN.options, precision="bf16"))
    assert pack_for(half, sample_model, CPU, 1).batch_rows > single.batch_rows


def test_free_memory_is_the_machines_within_the_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meminfo, container = tmp_path / "meminfo", tmp_path / "cgroup"
    container.mkdir()
    monkeypatch.setattr(memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(memory, "_CONTAINER", container)
    meminfo.write_text("MemTotal:  9000 kB\nMemAvailable:    5000 kB\n")
    assert free_memory(CPU) == 5000 * 1024
    (container / "memory.max").write_text("3000000\n")
    (container / "memory.current").write_text("1000000\n")
    assert free_memory(CPU) == 2_000_000
    (container / "memory.max").write_text("max\n")
    assert free_memory(CPU) == 5000 * 1024
    meminfo.unlink()
    assert free_memory(CPU) > 0
