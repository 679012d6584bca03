"""Runs shards on a Ray cluster: an existing one, or one started on this machine for the run.

The network, the data and the plan are put into the object store once and opened once in each worker process. Workers
return the tables of shards and the driver writes them, so no shared file system is needed. If a worker dies, Ray runs
its current shard again.
"""

from __future__ import annotations

import copy
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import torch
from torch import nn

from causalvae.data.dataset import Dataset
from causalvae.engine.backends.backend import Work
from causalvae.engine.effort import ignore_rows
from causalvae.engine.outcomes import Measure
from causalvae.engine.precision import matrix_precision
from causalvae.engine.runner import PlanRunner, ShardFiles, ShardTables
from causalvae.engine.values import Statistics
from causalvae.errors import CausalVAEError, first_line
from causalvae.models.loading import assemble
from causalvae.models.operators import tensors_of
from causalvae.models.vae import VAE
from causalvae.plan.types import Arm, Plan
from causalvae.spec.registry import distributions_in_use

# Number of retries of a shard after its worker died.
RETRIES = 3
# Number of submitted shards per core: one runs while the next is sent.
_AHEAD = 2
# Where a cluster listens that a run starts.
_LOOPBACK = "127.0.0.1"
# Timeout of connections in seconds.
_PATIENCE = 10.0


@dataclass(frozen=True)
class _Package:
    """The data that a worker opens.

    A captured network cannot be pickled, since its operations are objects of PyTorch, so the original network is sent
    and captured again; capturing is deterministic.
    """

    plan: Plan
    vae: VAE
    probes: torch.Tensor
    samples_latent: bool
    model_digest: str
    dataset: Dataset
    measure: Measure
    statistics: Mapping[str, Mapping[str, Statistics]]
    device: str


class RayBackend:
    """Runs each shard as a Ray task on one core, or on one GPU if the run uses GPUs.

    Parameters
    ----------
    address : str, optional
        Address of a running cluster, such as ``auto`` or ``ray://host:10001``. If omitted, the cluster that this
        process is connected to, else one that is started here, reachable from this machine alone, and shut down after
        the run.

    Raises
    ------
    CausalVAEError
        CV407 if Ray is not installed.
    """

    def __init__(self, address: str | None = None) -> None:
        _import_ray()
        self._address = address

    def run(self, work: Work) -> None:
        """Run all shards and deliver their tables; the first exception stops the run and is raised.

        Raises
        ------
        CausalVAEError
            CV420 if there is no cluster at the address, CV421 if the worker of a shard died repeatedly, CV422 if a
            worker has other versions than this process; also any error of a worker.
        """
        if work.shards:
            with _connect(self._address, work.cores):
                _run_shards(work)


def _run_shards(work: Work) -> None:
    ray = _import_ray()
    with _sent_by_value(ray, work.runner.model.vae):
        package = ray.put(_pack(work))
    key, versions = uuid4().hex, find_versions(distributions_in_use())
    on_gpu = work.runner.device.type == "cuda"
    task = ray.remote(num_cpus=1, num_gpus=1 if on_gpu else 0, max_retries=RETRIES)(_run_shard)
    waiting = iter(work.shards)
    under_way: dict[Any, ShardFiles] = {}
    slots = _AHEAD * max(1, int(ray.cluster_resources().get("GPU" if on_gpu else "CPU", 1)))

    def submit() -> None:
        for shard in waiting:
            # In a list, since Ray resolves references that are direct arguments, for each task.
            under_way[task.remote(key, versions, [package], shard)] = shard
            if len(under_way) >= slots:
                return

    try:
        submit()
        while under_way:
            (done, *_), _ = ray.wait(list(under_way), num_returns=1)
            shard = under_way.pop(done)
            work.deliver(shard, _fetch(done))
            work.on_rows(*work.extents.within(shard.cohort, shard.first, shard.stop))
            # The object store frees a result when its last reference is deleted.
            del done
            submit()
    finally:
        for reference in under_way:
            ray.cancel(reference, force=True)


def _fetch(reference: Any) -> ShardTables:
    ray = _import_ray()
    try:
        tables: ShardTables = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise CausalVAEError(
            "CV421",
            f"the worker of a shard was lost {RETRIES + 1} times ({first_line(error)}).",
            "See the cluster's logs; often memory ran out. Finished shards are kept: run again.",
            "execution.backend",
        ) from error
    return tables


def _pack(work: Work) -> _Package:
    runner = work.runner
    model = runner.model
    arms = tuple(arm for cohort in work.arms.values() for arm in cohort)
    cpu = torch.device("cpu")
    return _Package(
        # Only the arms that are run, without data for the analysis.
        plan=replace(runner.plan, arms=arms, uses=()),
        vae=_on_cpu(model.vae),
        probes=model.probes.cpu(),
        samples_latent=model.samples_latent,
        model_digest=runner.plan.model_digest,
        dataset=runner.dataset,
        measure=runner.measure,
        statistics={
            cohort: {name: facts.to(cpu) for name, facts in sites.items()} for cohort, sites in work.statistics.items()
        },
        device=runner.device.type,
    )


def _on_cpu(vae: VAE) -> VAE:
    stays = all(tensor.device.type == "cpu" for tensor in tensors_of(vae).values())
    return vae if stays else copy.deepcopy(vae).cpu()


@contextmanager
def _sent_by_value(ray: Any, network: nn.Module) -> Iterator[None]:
    """Pickle user modules by value, since a worker cannot import files in the folder of a spec.

    Modules no longer in `sys.modules` are pickled by value anyway.
    """
    names = {type(module).__module__ for module in network.modules()} & sys.modules.keys()
    installed = packages_distributions()
    own = [sys.modules[name] for name in sorted(names) if name.partition(".")[0] not in {*installed, "causalvae"}]
    for module in own:
        ray.cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in own:
            ray.cloudpickle.unregister_pickle_by_value(module)


def find_versions(extensions: Iterable[str]) -> dict[str, str]:
    """Versions of the distributions that numbers depend on; ``none`` for an extension that is not installed."""
    found = {"causalvae": version("causalvae"), "torch": torch.__version__}
    for name in extensions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def check_versions(theirs: Mapping[str, str]) -> None:
    """Raise CV422 if this process has other versions than the driver.

    Called before the work is unpickled, where a missing extension would raise ImportError.
    """
    own = find_versions(theirs.keys() - {"causalvae", "torch"})
    if own != theirs:
        raise CausalVAEError(
            "CV422",
            f"a worker has {_list(own)}, this process {_list(theirs)}: numbers could differ.",
            "Install the same versions on every node of the cluster.",
            "execution.address",
        )


@dataclass(frozen=True)
class _Opened:
    """An opened package, cached in a worker process."""

    key: str
    runner: PlanRunner
    arms: Mapping[str, list[Arm]]
    statistics: Mapping[str, Mapping[str, Statistics]]


_opened: list[_Opened] = []


def _run_shard(key: str, versions: Mapping[str, str], package: list[Any], shard: ShardFiles) -> ShardTables:
    """Run one shard in a worker process."""
    check_versions(versions)
    torch.set_num_threads(1)
    opened = _open(key, package[0])
    precision = opened.runner.plan.options.precision
    with torch.inference_mode(), matrix_precision(precision):
        return opened.runner.tables(shard, opened.arms[shard.cohort], opened.statistics[shard.cohort], ignore_rows)


def _open(key: str, reference: Any) -> _Opened:
    for opened in _opened:
        if opened.key == key:
            return opened
    package: _Package = _import_ray().get(reference)
    device = torch.device(package.device)
    model = assemble(package.vae, package.samples_latent, package.model_digest, {}, package.probes)
    with torch.inference_mode():
        runner = PlanRunner(package.plan, model, package.dataset, package.measure, device)
    arms = {
        cohort.name: [arm for arm in package.plan.arms if arm.cohort == cohort.name] for cohort in package.plan.cohorts
    }
    statistics = {
        cohort: {name: facts.to(device) for name, facts in sites.items()}
        for cohort, sites in package.statistics.items()
    }
    # Replaces the network of an earlier run, since a worker may outlive many runs.
    _opened[:] = [_Opened(key, runner, arms, statistics)]
    return _opened[0]


def _list(versions: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {number}" for name, number in versions.items())


@contextmanager
def _connect(address: str | None, cores: int) -> Iterator[None]:
    """Connect to a cluster, unless already connected; a cluster started here is shut down at exit."""
    ray = _import_ray()
    if ray.is_initialized():
        yield
        return
    # Ray reports usage statistics by default.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            with _on_loopback(ray), _same_sigterm():
                ray.init(address="local", num_cpus=cores, include_dashboard=False, _node_ip_address=_LOOPBACK, **quiet)
        else:
            _knock(address)
            ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise CausalVAEError(
            "CV420",
            f"no Ray cluster could be reached at {address or 'this machine'} ({first_line(error)}).",
            "Start the cluster, correct execution.address, or delete it to start one on this machine.",
            "execution.address",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _on_loopback(ray: Any) -> Iterator[None]:
    """Let a cluster that is started within listen on the loopback alone, so that no other machine can reach it.

    Ray does so on Windows and macOS only, and replaces a loopback address by the machine's own elsewhere.
    """
    constants = ray._private.ray_constants
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _same_sigterm() -> Iterator[None]:
    """Keep the handler of SIGTERM: Ray replaces it by one that exits with 1 without a message."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        # Only the main thread may set handlers, and Ray sets none in others.
        if signal.getsignal(signal.SIGTERM) is not before:
            signal.signal(signal.SIGTERM, before)


def _knock(address: str) -> None:
    """Raise `OSError` if no server listens at ``host:port``; Ray itself would retry for many minutes."""
    found = urlsplit(address if "://" in address else f"//{address}")
    if found.hostname is not None and found.port is not None:
        socket.create_connection((found.hostname, found.port), _PATIENCE).close()


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise CausalVAEError(
            "CV407",
            "execution.backend is ray, and Ray is not installed.",
            "pip install 'causalvae[ray]', or set execution.backend: local.",
            "execution.backend",
        ) from error
    return ray
