"""How much each part of the benchmark measures: as reported, or the least that shows that it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Sizes of the parts, in addition to the sweep's own settings.

    Parameters
    ----------
    floor_rows : tuple of int
        Batch sizes at which each operation is timed.
    samples : tuple of int
        Numbers of pairs of the curve over samples.
    units : tuple of int
        Numbers of units of the curve over units.
    depths : tuple of int
        Numbers of layers of the curve over depth.
    subsets : int
        Random subsets of units of the curve over live rows.
    scaling_pairs : int
        Pairs of the curves over units and live rows.
    swept : tuple of str or None
        Sites of the sweep, the floor and the profile; None for all.
    memory_sites : tuple of str
    memory_units : int
        Units a site in the measurement of memory.
    latency_repeats : int
    network_channels, network_pairs, network_rounds : int
        Of the further networks.
    """

    floor_rows: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    samples: tuple[int, ...] = (64, 128, 256, 512)
    units: tuple[int, ...] = (32, 64, 128, 256, 512)
    depths: tuple[int, ...] = (2, 4, 8, 16)
    subsets: int = 10
    scaling_pairs: int = 64
    swept: tuple[str, ...] | None = None
    memory_sites: tuple[str, ...] = ("encoder.conv1", "decoder.lin3")
    memory_units: int = 32
    latency_repeats: int = 15
    network_channels: int = 8
    network_pairs: int = 16
    network_rounds: int = 3


FULL = Sizes()
SMALL = Sizes(
    floor_rows=(2,),
    samples=(2, 4),
    units=(8, 16, 32),
    depths=(1, 2),
    subsets=3,
    scaling_pairs=4,
    swept=("encoder.conv_64", "latent", "decoder.convT_64"),
    memory_sites=("decoder.lin3",),
    memory_units=2,
    latency_repeats=1,
    network_channels=2,
    network_pairs=4,
    network_rounds=1,
)
