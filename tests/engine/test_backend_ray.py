"""Shards on a Ray cluster: the same bytes as on this machine, also when a worker dies."""

from __future__ import annotations

import copy
import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

ray = pytest.importorskip("ray", reason="needs causalvae[ray]")

from causalvae.engine.backends import ray as backend  # noqa: E402
from causalvae.engine.backends.opening import open_backend  # noqa: E402
from causalvae.engine.execute import execute_plan  # noqa: E402
from causalvae.engine.measurements import Measurements  # noqa: E402
from causalvae.engine.progress import Progress  # noqa: E402
from causalvae.errors import CausalVAEError  # noqa: E402
from causalvae.models.loading import Model, assemble  # noqa: E402
from tests.engine.conftest import Blobs  # noqa: E402
from tests.engine.test_engine_resume import PLAN, shard_files  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

Measure = Callable[[Tensor], Tensor]


class Dying:
    """A measure that ends its process the first time that it is used anywhere."""

    def __init__(self, marker: Path, always: bool = False) -> None:
        self._marker = marker
        self._always = always

    def __call__(self, images: Tensor) -> Tensor:
        if self._always or not self._marker.exists():
            self._marker.touch()
            os._exit(1)
        return read(images)


class Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, images: Tensor) -> Tensor:
        raise self._error


def read(images: Tensor) -> Tensor:
    flat = images.flatten(1).double()
    return torch.stack([flat.sum(1), flat.square().sum(1), flat.amax(1)], dim=1)


def run(model: Model, measure: Measure, folder: Path, name: str = "ray", **given: object) -> Measurements:
    chosen = open_backend("ray" if name == "ray" else "local")
    return execute_plan(PLAN, model, Blobs(), measure, folder, "cpu", backend=chosen, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def local(sample_model: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Measurements]:
    folder = tmp_path_factory.mktemp("local")
    return folder, run(sample_model, read, folder, "local")


@pytest.mark.usefixtures("cluster")
def test_a_cluster_gives_the_bytes_of_this_machine(
    local: tuple[Path, Measurements], sample_model: Model, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    found = run(sample_model, read, tmp_path, on_progress=seen.append)
    assert shard_files(tmp_path) == shard_files(local[0])
    assert found.observations.equals(local[1].observations)
    manifests = [dict(one.manifest, seconds=0) for one in (found, local[1])]
    assert manifests[0] == manifests[1]
    done = [step.done for step in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].total
    assert ray.is_initialized(), "a cluster that was there before the run is left alone"


@pytest.mark.usefixtures("cluster")
def test_a_run_that_began_here_is_finished_there_though_a_worker_dies(
    local: tuple[Path, Measurements], sample_model: Model, tmp_path: Path
) -> None:
    folder, marker = tmp_path / "tables", tmp_path / "died"
    shutil.copytree(local[0], folder)
    for name in ("outcomes/resize.00001.parquet", "outcomes/resize.00002.parquet", "observations/00001.parquet"):
        (folder / name).unlink()
    # Only workers call the measure: the exact controls look at outputs alone.
    run(sample_model, Dying(marker), folder)
    assert marker.exists()
    assert shard_files(folder) == shard_files(local[0])


@pytest.mark.usefixtures("cluster")
def test_a_network_of_a_file_that_workers_cannot_import(
    sample_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside_the_spec.py").write_text(
        "from torch import nn\n\nSCALE = 2.0\n\n"
        "class Doubled(nn.Module):\n"
        "    def __init__(self, inner):\n        super().__init__()\n        self.inner = inner\n\n"
        "    def forward(self, z):\n        return SCALE * self.inner(z)\n"
    )
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        module = importlib.import_module("beside_the_spec")
    vae = copy.deepcopy(sample_model.vae)
    vae.decoder = module.Doubled(vae.decoder)
    model = assemble(vae, True, "small", {})
    for name in ("local", "ray"):
        run(model, read, tmp_path / name, name)
    assert shard_files(tmp_path / "ray") == shard_files(tmp_path / "local")


@pytest.mark.usefixtures("cluster")
def test_a_shard_that_kills_every_worker_is_given_up(
    sample_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "RETRIES", 0)
    with pytest.raises(CausalVAEError) as caught:
        run(sample_model, Dying(tmp_path / "died", always=True), tmp_path / "tables")
    assert caught.value.code == "CV421"


@pytest.mark.usefixtures("cluster")
def test_what_a_worker_raises_is_raised_here(sample_model: Model, tmp_path: Path) -> None:
    with pytest.raises(CausalVAEError) as caught:
        run(sample_model, Failing(CausalVAEError("CV404", "message", "remedy", "place")), tmp_path)
    assert str(caught.value) == "CV404 at place: message remedy"


@pytest.mark.usefixtures("cluster")
def test_a_worker_of_another_version_is_refused(
    sample_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "find_versions", lambda names: {"causalvae": "0.0", "torch": torch.__version__})
    with pytest.raises(CausalVAEError) as caught:
        run(sample_model, read, tmp_path)
    assert caught.value.code == "CV422"


def test_an_address_without_a_cluster_is_named(sample_model: Model, tmp_path: Path) -> None:
    if ray.is_initialized():
        ray.shutdown()
    with pytest.raises(CausalVAEError) as caught:
        execute_plan(PLAN, sample_model, Blobs(), read, tmp_path, "cpu", backend=open_backend("ray", "127.0.0.1:1"))
    assert caught.value.code == "CV420"
    assert "127.0.0.1:1" in caught.value.message
    assert not ray.is_initialized()


def test_a_cluster_that_the_run_starts_is_shut_down(
    local: tuple[Path, Measurements], sample_model: Model, tmp_path: Path
) -> None:
    if ray.is_initialized():
        ray.shutdown()
    run(sample_model, read, tmp_path)
    assert shard_files(tmp_path) == shard_files(local[0])
    assert not ray.is_initialized()
