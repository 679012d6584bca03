"""The table of all networks as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from benchmarks.floor import BestSpeed, Floor
from benchmarks.real.measure import ENGINE, PEERS, REFERENCE, ArmTimes, NetworkTimes
from benchmarks.real.memory import Memory
from benchmarks.report import table

FLOOR_TARGET = 1.15


def write_networks(
    networks: Sequence[NetworkTimes], machine: dict[str, Any], settings: dict[str, Any], folder: Path
) -> list[Path]:
    """Write ``networks.md`` and ``networks.json``; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "settings": settings, "networks": [asdict(network) for network in networks]}
    files = {
        "networks.md": "\n".join(_lines(networks, machine, settings)) + "\n",
        "networks.json": json.dumps(content, indent=1) + "\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def read_networks(path: Path) -> list[NetworkTimes]:
    """The networks of a ``networks.json``; none if there is no such file."""
    if not path.exists():
        return []
    found = []
    for network in json.loads(path.read_text(encoding="utf-8"))["networks"]:
        floor = {**network["floor"], "speeds": tuple(BestSpeed(**speed) for speed in network["floor"]["speeds"])}
        memory = network["memory"] and Memory(**network["memory"])
        arms = {name: ArmTimes(**arm) for name, arm in network["arms"].items()}
        found.append(NetworkTimes(**{**network, "floor": Floor(**floor), "memory": memory, "arms": arms}))
    return found


def short_of_target(network: NetworkTimes) -> list[str]:
    """Where a network falls short: sites at which the loop is faster, distance from the floor, memory, agreement."""
    found = [
        f"at {site} the engine takes {1 / network.gain(site):.2f} times the hook loop"
        for site in network.units
        if network.gain(site) < 1.0
    ]
    ratio = network.arms[ENGINE].total / network.floor.total
    if ratio > FLOOR_TARGET:
        found.append(f"{ratio:.2f} times the floor")
    if network.memory is not None and network.memory.extra > network.memory.budget:
        found.append(f"{network.memory.extra:.0f} MB with a budget of {network.memory.budget:.0f} MB")
    if not network.agrees:
        found.append(f"outcomes differ by {network.arms[ENGINE].difference:.1e}")
    return found


def _lines(networks: Sequence[NetworkTimes], machine: dict[str, Any], settings: dict[str, Any]) -> Iterator[str]:
    yield "# Networks of real structure"
    yield ""
    yield "Machine: " + ", ".join(f"{key} {value}" for key, value in machine.items()) + ". "
    yield "Settings: " + ", ".join(f"{key} {value}" for key, value in settings.items()) + "."
    yield ""
    yield (
        "CPU seconds of one thread for the sweep of some units at all sites, every arm in one process and by turns at "
        "each site; medians over rounds, with clean runs. Peers run a sample of the units and are scaled. The floor, "
        "and how outcomes are compared, are explained in [the README](../README.md). Weights are random."
    )
    yield ""
    yield table(
        [
            *("network", "GFLOP a row", "units x pairs", "live rows"),
            *(f"{name}, s" for name in PEERS),
            *(
                "engine, s",
                "hook loop / engine",
                "best peer / engine",
                "slowest site",
                "floor, s",
                "of it clean runs, s",
            ),
            *("engine / floor", "best round / floor"),
            *("from hook loop", "from float64", "hook loop from float64", "memory, MB of budget"),
        ],
        [_row(network) for network in networks],
    )
    yield ""
    yield (
        "*Slowest site*: the least of hook loop / engine over the sites, without clean runs. *From hook loop*, *from "
        "float64*: the largest distance of an outcome of the engine from that of the hook loop in float32 and in "
        "float64; one of them is to be within 1e-5. *Best round*: of each site the shortest round, as the floor has of "
        "each operation the shortest series; on a busy machine medians are longer."
    )
    yield ""
    yield "## What falls short"
    yield ""
    short = [(network.name, short_of_target(network)) for network in networks]
    if not any(reasons for _, reasons in short):
        yield "Nothing."
    for name, reasons in short:
        if reasons:
            yield f"- {name}: " + "; ".join(reasons) + "."
    failed = [
        f"- {arm.name} on {network.name}: {arm.error}"
        for network in networks
        for arm in network.arms.values()
        if arm.error
    ]
    absent = sorted({name for network in networks for name in network.missing})
    if failed or absent:
        yield ""
        yield "## Peers that did not run"
        yield ""
        yield from failed
        yield from (f"- {name} is not installed" for name in absent)
    yield ""
    yield "## Site by site"
    for network in networks:
        yield ""
        yield f"### {network.name}"
        yield ""
        yield f"{network.structure[0].upper()}{network.structure[1:]}. {network.parameters:,} parameters."
        yield ""
        peers = [name for name in PEERS if name in network.arms and not network.arms[name].error]
        yield table(
            [
                *("site", "units", "live"),
                *(f"{name}, s" for name in peers),
                *("engine, s", "hook loop / engine", "floor, s", "engine / floor"),
            ],
            [
                [
                    site,
                    str(units),
                    f"{network.live[site]:.2f}",
                    *(f"{network.arms[name].seconds(site):.3f}" for name in peers),
                    f"{network.arms[ENGINE].seconds(site):.3f}",
                    f"{network.gain(site):.2f}",
                    f"{network.floor.sites[site]:.3f}",
                    f"{network.above_floor(site):.2f}",
                ]
                for site, units in network.units.items()
            ],
        )


def _row(network: NetworkTimes) -> list[str]:
    engine, hooks = network.arms[ENGINE], network.arms[REFERENCE]
    peers = [network.arms[name].total if name in network.arms else float("nan") for name in PEERS]
    units = sum(network.units.values())
    live = sum(network.live[site] * count for site, count in network.units.items()) / units
    best = min(value for value in peers if not isnan(value))
    memory = network.memory
    return [
        network.name,
        f"{network.gigaflops:.3g}",
        f"{units} x {network.pairs}",
        f"{live:.2f}",
        *("" if isnan(value) else f"{value:.2f}" for value in peers),
        f"{engine.total:.2f}",
        f"**{hooks.total / engine.total:.2f}**",
        f"{best / engine.total:.2f}",
        f"{min(network.gain(site) for site in network.units):.2f}",
        f"{network.floor.total:.2f}",
        f"{network.floor.clean:.2f}",
        f"{engine.total / network.floor.total:.2f}",
        f"{engine.best / network.floor.total:.2f}",
        f"{engine.difference:.1e}",
        *("" if arm.exact is None else f"{arm.exact:.1e}" for arm in (engine, hooks)),
        "" if memory is None else f"{memory.extra:.0f} of {memory.budget:.0f}",
    ]
