"""How the engine's time grows: with samples, with units, with depth, and with live rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.engine import EngineArm, pass_sets
from benchmarks.fitting import Line, fit_exponent, fit_line
from benchmarks.peers import make_peer
from benchmarks.sizes import FULL, Sizes
from benchmarks.timing import time_call
from benchmarks.workload import SweptSite, Workload, assembled_workload, burgess_workload
from causalvae.models.vae import VAE

REPEATS = 2
_WIDTH = 32
_SIDE = 32
_LATENTS = 4


@dataclass(frozen=True)
class Curve:
    """CPU seconds against a size.

    Parameters
    ----------
    name : str
        What grows, and what is measured.
    arm : str
    sizes : tuple of float
    seconds : tuple of float
        The least of `REPEATS` runs.
    exponent : Line
        Fitted on log-log axes.
    """

    name: str
    arm: str
    sizes: tuple[float, ...]
    seconds: tuple[float, ...]
    exponent: Line


@dataclass(frozen=True)
class LiveRows:
    """CPU seconds of subsets of a site's units against their live rows."""

    site: str
    rows: tuple[int, ...]
    seconds: tuple[float, ...]
    line: Line


@dataclass(frozen=True)
class Scaling:
    """All curves."""

    curves: tuple[Curve, ...] = field(default_factory=tuple)
    live: tuple[LiveRows, ...] = field(default_factory=tuple)


def measure_scaling(name: str, sizes: Sizes = FULL) -> Scaling:
    """Scaling on one of the Burgess networks, and in depth on chains of convolutions."""
    workload = burgess_workload(name, sizes.scaling_pairs)
    curves = [
        *_in_samples(name, "decoder.lin3", 32, sizes.samples),
        *_in_units(workload, "decoder.lin3", sizes.units),
        *_in_depth(sizes.depths),
    ]
    sites = ("encoder.lin1", "decoder.lin2", "decoder.convT_64")
    live = [_in_live_rows(workload, site, sizes.subsets) for site in sites]
    return Scaling(tuple(curves), tuple(live))


def _best(engine: EngineArm, site: SweptSite, units: Sequence[int]) -> tuple[float, float]:
    """CPU seconds without the clean runs, and of the clean runs."""
    runs = [time_call(lambda: engine.run(site, units))[0] for _ in range(REPEATS)]
    clean = min(time_call(engine.run_clean)[0] for _ in range(REPEATS))
    return min(runs) - clean, clean


def _in_samples(name: str, site: str, units: int, sizes: tuple[int, ...]) -> list[Curve]:
    patched, clean = [], []
    for pairs in sizes:
        workload = burgess_workload(name, pairs)
        engine = EngineArm(workload, pass_sets(workload)[-1])
        chosen = workload.site(site)
        seconds = _best(engine, chosen, range(0, chosen.units, chosen.units // units))
        patched.append(seconds[0])
        clean.append(seconds[1])
    return [
        Curve(f"samples ({units} units of {site})", "engine", sizes, tuple(patched), fit_exponent(sizes, patched)),
        Curve("samples (clean runs)", "engine", sizes, tuple(clean), fit_exponent(sizes, clean)),
    ]


def _in_units(workload: Workload, site: str, sizes: tuple[int, ...]) -> list[Curve]:
    engine = EngineArm(workload, pass_sets(workload)[-1])
    chosen = workload.site(site)
    order = np.random.default_rng(0).permutation(chosen.units)
    seconds = [_best(engine, chosen, sorted(order[:size].tolist()))[0] for size in sizes]
    return [Curve(f"units of {site}", "engine", sizes, tuple(seconds), fit_exponent(sizes, seconds))]


def _in_depth(depths: tuple[int, ...]) -> list[Curve]:
    """Every channel of every layer of a chain of equal convolutions: the cost of one unit against the depth."""
    engine_seconds, hook_seconds = [], []
    for depth in depths:
        vae = chain_vae(depth)
        names = [f"decoder.layers.{2 * layer}" for layer in range(depth)]
        workload = assembled_workload(f"chain of {depth}", vae, names, 2, 16)
        engine = EngineArm(workload, pass_sets(workload)[-1])
        hooks = make_peer("hook loop", workload)
        spent = [0.0, 0.0]
        for site in workload.sites:
            hooks.prepare(site)
            units = range(site.units)
            spent[0] += _best(engine, site, units)[0]
            spent[1] += min(time_call(partial(hooks.run, site, units))[0] for _ in range(REPEATS))
        engine_seconds.append(spent[0] / workload.units)
        hook_seconds.append(spent[1] / workload.units)
    return [
        Curve("depth (a unit of a chain)", arm, depths, tuple(seconds), fit_exponent(depths, seconds))
        for arm, seconds in (("engine", engine_seconds), ("hook loop", hook_seconds))
    ]


def _in_live_rows(workload: Workload, site: str, subsets: int) -> LiveRows:
    """Random subsets of a site's units, of any size."""
    engine = EngineArm(workload, pass_sets(workload)[-1])
    chosen = workload.site(site)
    rng = np.random.default_rng(1)
    clean = min(time_call(engine.run_clean)[0] for _ in range(REPEATS))
    rows, seconds = [], []
    for _ in range(subsets):
        units = sorted(rng.choice(chosen.units, rng.integers(2, min(chosen.units, 128) + 1), replace=False).tolist())
        runs = [time_call(partial(engine.run, chosen, units)) for _ in range(2)]
        rows.append(engine.count_live(runs[0][1]))
        seconds.append(min(run[0] for run in runs) - clean)
    return LiveRows(site, tuple(rows), tuple(seconds), fit_line(rows, seconds))


class ChainEncoder(nn.Module):
    """A small encoder, the same for every depth."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(64 * 64, 2 * _LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters."""
        parameters: Tensor = self.lin(x.flatten(1))
        return parameters


class ChainDecoder(nn.Module):
    """`depth` equal convolutions at one resolution, each with a ReLU, and one to the image."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.entry = nn.Linear(_LATENTS, _WIDTH * _SIDE * _SIDE)
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.exit = nn.ConvTranspose2d(_WIDTH, 1, 2, stride=2)

    def forward(self, z: Tensor) -> Tensor:
        """Logits, (batch, 1, 64, 64)."""
        x = self.entry(z).unflatten(1, (_WIDTH, _SIDE, _SIDE))
        logits: Tensor = self.exit(self.layers(x))
        return logits


def chain_vae(depth: int) -> VAE:
    """A VAE whose decoder is a chain of equal convolutions, with random weights that keep the signal's size."""
    with torch.random.fork_rng():
        torch.manual_seed(depth)
        vae = VAE(ChainEncoder(), ChainDecoder(depth), _LATENTS, (1, 64, 64))
        for layer in vae.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
    return vae
