"""Latents that nothing reads: whatever their number and size, verdicts stay."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from benchmarks.circuits.claims import judge_all
from benchmarks.circuits.networks import Network
from benchmarks.circuits.store import Job

_CIRCUITS = ("carrier", "or", "and", "spread", "promoter_inhibitor")
PLAIN = ""
IDLE: Final[dict[str, dict[str, Any]]] = {
    PLAIN: {},
    **{f"{count} dead": {"dead": count} for count in (2, 6, 30, 94)},
    **{f"1 loud, times {scale:g}": {"loud": {"scale": scale}} for scale in (0.01, 0.1, 1.0, 10.0, 100.0)},
}


def jobs(seeds: int, pairs: int) -> Iterator[Job]:
    """One for each network, kind of idle latents, and seed."""
    for seed in range(seeds):
        for circuit in _CIRCUITS:
            for variant, keys in IDLE.items():
                run = partial(judge_all, "idle", variant, Network(circuit, keys), seed, pairs)
                yield Job(("idle", circuit, variant, seed, pairs), run)
