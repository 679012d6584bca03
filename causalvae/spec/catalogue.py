"""What is known of each data source and model before either is loaded: factors, levels, latents.

The loaded sources are heavy (numpy, torch); these few constants let a spec be checked without them. A test holds them
against the sources themselves.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from causalvae.spec.data_section import DataSection
from causalvae.spec.entries import DataEntry, FactorEntry
from causalvae.spec.official_factors import official_entry
from causalvae.spec.perturbations import PROGRAMME_RANGE, PerturbationsData
from causalvae.spec.scm_checks import compile_section
from causalvae.spec.scm_section import PendulumData, ScmData
from causalvae.spec.structural import Mechanism
from causalvae.spec.system_section import IsingData, MixturesData, system_entry

DATA: Final[dict[str, DataEntry]] = {
    "dsprites": DataEntry(
        (
            FactorEntry("shape", "categorical", 3, 1.0, 3.0, ("square", "ellipse", "heart")),
            FactorEntry("scale", "ordinal", 6, 0.5, 1.0),
            FactorEntry("orientation", "cyclic", 40, 0.0, 2 * math.pi),
            FactorEntry("x", "ordinal", 32, 0.0, 1.0),
            FactorEntry("y", "ordinal", 32, 0.0, 1.0),
        ),
        input_shape=(1, 64, 64),
    )
}


def known_data(section: DataSection) -> DataEntry | None:
    """What is known of the data that a section names without opening it; None where only its files can tell."""
    if isinstance(section, ScmData | PendulumData):
        return _structural_entry(section)
    if isinstance(section, PerturbationsData):
        return _screen_entry(section)
    if isinstance(section, IsingData | MixturesData):
        return system_entry(section)
    return DATA.get(section.source) or official_entry(section)


def _screen_entry(section: PerturbationsData) -> DataEntry:
    guides = tuple(
        FactorEntry(f"g{guide + 1}", "categorical", 2, 0.0, 1.0, ("off", "on"))
        for guide in range(section.programmes * section.guides_each)
    )
    programmes = tuple(
        FactorEntry(f"P{programme + 1}", "continuous", 0, *PROGRAMME_RANGE) for programme in range(section.programmes)
    )
    return DataEntry((*guides, *programmes), True, (section.programmes * section.genes_each,), section.genes)


def _structural_entry(section: ScmData | PendulumData) -> DataEntry | None:
    """What a section's structural model says; None where it does not hang together."""
    model, _ = compile_section(section)
    if model is None:
        return None
    factors = tuple(_variable_entry(item, model.ranges[item.name]) for item in model.mechanisms)
    if isinstance(section, PendulumData):
        return DataEntry(factors, True, (3, section.side, section.side))
    if section.world == "shapes":
        return DataEntry(factors, True, (3, section.side, section.side))
    if section.world == "tones":
        return DataEntry(factors, True, (1, section.length), rate=section.rate)
    columns = tuple(item.name for item in model.mechanisms if not item.hidden)
    return DataEntry(factors, True, (len(columns),), columns)


def _variable_entry(mechanism: Mechanism, bounds: tuple[float, float]) -> FactorEntry:
    if not mechanism.values:
        return FactorEntry(mechanism.name, "continuous", 0, *bounds)
    kind: Literal["categorical", "ordinal"] = "categorical" if mechanism.labels else "ordinal"
    low, high = mechanism.values[0], mechanism.values[-1]
    return FactorEntry(mechanism.name, kind, len(mechanism.values), low, high, mechanism.labels, mechanism.values)


LATENT_PARTS: Final[tuple[str, ...]] = ("mean", "logvar", "noise")

# Columns of the tables that a run writes: an attribute is a column beside them.
RESERVED_ATTRIBUTES: Final[tuple[str, ...]] = ("arm", "pair", "live", "image", "image_sq", "image_dot")
# The cohort of untreated samples: an input intervention's cohort has the intervention's name.
RESERVED_INTERVENTIONS: Final[tuple[str, ...]] = ("observed",)
