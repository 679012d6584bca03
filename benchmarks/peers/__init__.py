"""The other ways to run the sweep, each as its users would write it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from benchmarks.arm import BenchmarkArm
from benchmarks.peers.batched import BatchedLoop
from benchmarks.peers.captum_ablation import CaptumAblation
from benchmarks.peers.hooks import ChannelsLastHookLoop, HookLoop
from benchmarks.peers.nnsight_trace import NnsightTrace
from benchmarks.peers.pyvene_interchange import PyveneInterchange
from benchmarks.workload import Workload

PEERS: dict[str, tuple[str | None, Callable[[Workload], BenchmarkArm]]] = {
    "hook loop": (None, HookLoop),
    "nnsight": ("nnsight", NnsightTrace),
    "pyvene": ("pyvene", PyveneInterchange),
    "captum": ("captum", CaptumAblation),
    "batched forward": (None, BatchedLoop),
    "hook loop, channels-last": (None, ChannelsLastHookLoop),
}
# Not as its users run it, so it counts among the peers for the record only.
TUNED = frozenset({"hook loop, channels-last"})


def installed_peers(names: tuple[str, ...] | None = None) -> tuple[list[str], list[str]]:
    """The peers that can run here, and those that are not installed."""
    wanted = list(PEERS) if names is None else [name for name in PEERS if name in names]
    missing = [name for name in wanted if (package := PEERS[name][0]) is not None and find_spec(package) is None]
    return [name for name in wanted if name not in missing], missing


def make_peer(name: str, workload: Workload) -> BenchmarkArm:
    """One peer on one workload."""
    return PEERS[name][1](workload)
