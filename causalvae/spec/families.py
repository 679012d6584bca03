"""All families of kinds that a spec can name, and the distributions that define those of one spec."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Final

from causalvae.spec.analysis import ANALYSES
from causalvae.spec.architecture_section import ARCHITECTURES
from causalvae.spec.data_section import DATA
from causalvae.spec.intervention_section import LEVELS
from causalvae.spec.model_section import MODELS
from causalvae.spec.objective_section import OBJECTIVES
from causalvae.spec.quantity import QUANTITIES
from causalvae.spec.readout_section import READOUTS
from causalvae.spec.registry import OWN, Registry
from causalvae.spec.schema import Spec
from causalvae.spec.training import TrainSpec
from causalvae.spec.value_source import VALUES

FAMILIES: Final[tuple[Registry[Any], ...]] = (
    DATA, MODELS, READOUTS, VALUES, LEVELS, QUANTITIES, ANALYSES, ARCHITECTURES, OBJECTIVES,
)  # fmt: skip


def distributions_of(spec: Spec) -> dict[str, str]:
    """Version of each other distribution whose kinds a spec names, by its name: numbers may depend on it."""
    named = [*_measuring(spec), (MODELS, spec.model.kind)]
    named += [(LEVELS, intervention.level.kind) for intervention in spec.interventions]
    named += [(QUANTITIES, name) for hypothesis in spec.hypotheses for name in hypothesis.expect.bounds]
    named += [(ANALYSES, name) for name in spec.analyses]
    return _versions(named)


def analysis_distribution(name: str) -> dict[str, str]:
    """The same of one analysis, on which its measurements depend, as on the spec."""
    return _versions([(ANALYSES, name)])


def measuring_distributions(spec: Spec) -> dict[str, str]:
    """The same of the data, readouts and patched values alone, on which measured tables depend, as on the network."""
    return _versions(_measuring(spec))


def training_distributions(spec: TrainSpec) -> dict[str, str]:
    """The same of a training spec, on which its weights depend."""
    return _versions([(DATA, spec.data.kind), (ARCHITECTURES, spec.model.kind), (OBJECTIVES, spec.objective.kind)])


def _measuring(spec: Spec) -> list[tuple[Registry[Any], str]]:
    readouts = [(READOUTS, section.kind) for section in spec.graph.attributes.values()]
    values = [(VALUES, choice.name) for item in spec.interventions for choice in item.level.choices]
    return [(DATA, spec.data.kind), *readouts, *values]


def _versions(named: Iterable[tuple[Registry[Any], str]]) -> dict[str, str]:
    origins = {family.entries[name][0].origin for family, name in named}
    return {origin: version(origin) for origin in sorted(origins - {OWN})}
