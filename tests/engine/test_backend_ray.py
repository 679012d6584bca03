"""Shards on a Ray cluster: the same bytes as on this machine, also when a worker dies."""

from __future__ import annotations

import copy
import importlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest
import torch
from torch import Tensor

ray = pytest.importorskip("ray", reason="needs causalvae[ray]")

import causalvae  # noqa: E402
from causalvae.engine.backends import ray as backend  # noqa: E402
from causalvae.engine.backends.opening import open_backend  # noqa: E402
from causalvae.engine.execute import execute_plan  # noqa: E402
from causalvae.engine.measurements import Measurements  # noqa: E402
from causalvae.engine.progress import Progress  # noqa: E402
from causalvae.errors import CausalVAEError  # noqa: E402
from causalvae.models.loading import Model, assemble  # noqa: E402
from tests.engine.conftest import Blobs  # noqa: E402
from tests.engine.test_engine_resume import PLAN, shard_files  # noqa: E402
from tests.engine.test_subspaces import BLOBS_PLAN  # noqa: E402

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
def local(sample_model: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Measurements]:
    folder = tmp_path_factory.mktemp("local")
    return folder, run(sample_model, read, folder, "local")


@pytest.fixture(scope="module")
def started(sample_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The tables of a run that started a cluster, and the session folder of that cluster, which all tests use."""
    folder = tmp_path_factory.mktemp("started")
    terminated = signal.getsignal(signal.SIGTERM)
    # Starting a cluster takes seconds, so there is one: what the run does at its end is done at the end of the tests.
    with mock.patch.object(ray, "shutdown") as ended, mock.patch("torch.get_num_threads", return_value=2):
        run(sample_model, read, folder)
    ended.assert_called_once_with()
    assert signal.getsignal(signal.SIGTERM) is terminated
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    yield folder, session
    ray.shutdown()
    assert not ray.is_initialized()
    assert not processes_of(session)


@pytest.fixture
def cluster(started: tuple[Path, Path]) -> None:
    """The cluster."""


def processes_of(session: Path) -> list[str]:
    """Command lines of the processes of a cluster, on Linux."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            # It ended meanwhile.
            continue
    return [line for line in found if str(session) in line]


def test_an_address_without_a_cluster_is_named(sample_model: Model, tmp_path: Path) -> None:
    if ray.is_initialized():
        ray.shutdown()
    with pytest.raises(CausalVAEError) as caught:
        execute_plan(PLAN, sample_model, Blobs(), read, tmp_path, "cpu", backend=open_backend("ray", "127.0.0.1:1"))
    assert caught.value.code == "CV420"
    assert "127.0.0.1:1" in caught.value.message
    assert not ray.is_initialized()


def test_a_run_starts_a_cluster_of_its_cores_on_the_loopback(
    started: tuple[Path, Path], local: tuple[Path, Measurements]
) -> None:
    folder, session = started
    assert shard_files(folder) == shard_files(local[0])
    assert ray.cluster_resources()["CPU"] == 2
    assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"]
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    if Path("/proc/self/cmdline").exists():
        assert processes_of(session)


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


@pytest.mark.usefixtures("cluster")
def test_learned_directions_give_the_bytes_of_this_machine(mean_model: Model, tmp_path: Path) -> None:
    found = [
        execute_plan(BLOBS_PLAN, mean_model, Blobs(), read, tmp_path / name, "cpu", backend=open_backend(name))
        for name in ("local", "ray")
    ]
    assert shard_files(tmp_path / "ray") == shard_files(tmp_path / "local")
    pd.testing.assert_frame_equal(found[0].subspaces, found[1].subspaces, check_exact=True)


SPEC = """
spec: causalvae/v1
name: everything
model: {source: compiled, circuit: or, latents: 6, dead: 4, loud: {count: 2}}
data:
  source: scm
  world: table
  variables: {t: "uniform(0, 1)", s: "uniform(0, 1)", u: "uniform(0, 1)"}
  samples: 40
  seed: 1
graph:
  factors: [t, s, u]
  attributes: {y: {readout: column, column: t}}
  edges: [t -> y]
interventions:
  - {name: rise, input: {factor: t}}
  - {name: units, activation: {components: [encoder.lin1, latent], by: unit, from: rise, pairs: 24}}
  - {name: path, mediation: {treatment: rise, path: ["encoder.lin1[0]", "latent[0]"], outcomes: [y]}}
  - {name: plane, mediation: {treatment: rise, mediators: [latent], outcomes: [y], subspace: {dim: 1, steps: 5}}}
discoveries:
  pairs: 24
  scores: [removal]
  circuits:
    - {name: latents, treatment: rise, outcome: y, halves: 2}
    - {name: edges, treatment: rise, outcome: y, candidates: edges, sites: [encoder.lin1, latent], halves: 0}
hypotheses:
  - name: two
    treatment: rise
    circuit: ["latent[0]", "latent[1]"]
    outcome: y
    expect: {mediated_share: {at_least: 0.7}}
estimation: {bootstrap: 50, dowhy: false}
alignment: {pairs: 24}
execution: {backend: BACKEND, device: cpu}
report: {formats: [json]}
"""


def alike(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what differs from run to run."""
    unlike = ("checksum", "execution", "costs", "manifest", "seconds")
    return {key: value for key, value in record.items() if key not in unlike}


@pytest.mark.usefixtures("cluster")
def test_units_paths_subspaces_and_discoveries_of_a_spec_are_those_of_this_machine(tmp_path: Path) -> None:
    found: list[dict[str, Any]] = []
    tables = []
    for name in ("local", "ray"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(SPEC.replace("BACKEND", name), encoding="utf-8")
        outcome = causalvae.run(path, tmp_path / name)
        found.append(json.loads((outcome.folder / "results.json").read_text(encoding="utf-8"), object_hook=alike))
        folders = sorted((tmp_path / name / "everything" / "tables").iterdir())
        tables.append({folder.name: shard_files(folder) for folder in folders})
    assert tables[0] == tables[1]
    assert len(found[0]["analyses"]["discoveries"]["circuits"]) == 2 and found[0]["verdicts"]
    assert found[0] == found[1]
