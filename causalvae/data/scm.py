"""Data sets of structural causal models, with pictures, sounds or tables as inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FactorSpace, FloatArray, Rows
from causalvae.data.pendulum import PendulumWorld
from causalvae.data.scm_checks import compile_model
from causalvae.data.shapes_world import ShapesWorld
from causalvae.data.structural import Sampler
from causalvae.data.table import TableWorld
from causalvae.data.tones import TonesWorld
from causalvae.errors import CausalVAEError
from causalvae.spec.columns import Columns
from causalvae.spec.structural import StructuralModel
from causalvae.spec.worlds import WORLDS, WorldVariable

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.data.kinds.pendulum import PendulumData
    from causalvae.data.kinds.scm import ScmData
    from causalvae.data.others import Others
    from causalvae.spec.scm_section import VariableSection


class World(Protocol):
    """Maps values of variables to inputs."""

    @property
    def name(self) -> str:
        """Name of the world."""
        ...

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        ...

    def render(self, values: Mapping[str, FloatArray]) -> npt.NDArray[np.float32]:
        """Inputs, (n, *input_shape), from variables, each (n,)."""
        ...

    def truth(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """True values of readouts of the inputs, each (n,)."""
        ...


class StructuralDataset:
    """Samples of a structural causal model, with inputs made by a world.

    Parameters
    ----------
    model : StructuralModel
    world : World
    fillers : mapping
        Values of variables of the world that are not in the model.
    codes : mapping
        Variable -> code in the world of each of its labels.
    facts : mapping
        Facts for a report.
    """

    size: int | None = None

    def __init__(
        self,
        name: str,
        model: StructuralModel,
        world: World,
        *,
        fillers: Mapping[str, float] | None = None,
        codes: Mapping[str, tuple[float, ...]] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.sampler = Sampler(model)
        self._world = world
        self.columns: Columns | None = world.columns if isinstance(world, TableWorld) else None
        self._fillers = dict(fillers or {})
        self._codes = dict(codes or {})
        self._facts = dict(facts or {})

    @property
    def space(self) -> FactorSpace:
        """The variables of the model."""
        return self.sampler.space

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""
        return self._world.input_shape

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Draw `n` samples: values, noise, and flags of set variables; see `causalvae.data.structural.Sampler`."""
        return self.sampler.draw(n, rng)

    def values(self, rows: Rows) -> FloatArray:
        """Values of all variables, float64, (n, n_factors)."""
        return self.sampler.values(rows)

    def inputs(self, rows: Rows) -> Tensor:
        """Pictures, sounds or columns of samples, float32, (n, *input_shape)."""
        import torch

        return torch.from_numpy(self._world.render(self._shown(rows)))

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """Counterfactual samples under do(`factor` = `values`), with the same noise; see `Sampler.intervene`."""
        return self.sampler.intervene(rows, factor, values, others)

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """True values of readouts of the inputs; see the `truth` of the world."""
        return self._world.truth(self._shown(rows))

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        model = self.sampler.model
        kinds = (f"{factor.name} ({factor.size or factor.kind})" for factor in self.space.factors)
        edges = ", ".join(f"{parent} -> {child}" for parent, child in model.edges) or "none"
        return {
            **self._facts,
            "factors": ", ".join(kinds),
            "edges of the structural model": edges,
            "input_shape": list(self.input_shape),
        }

    def _shown(self, rows: Rows) -> dict[str, FloatArray]:
        """Values of the variables of the world: those of the model in the codes of the world, else fillers."""
        values = self.sampler.values(rows)
        found = {name: values[:, column] for column, name in enumerate(self.sampler.model.names)}
        for name, codes in self._codes.items():
            found[name] = np.asarray(codes)[found[name].round().astype(np.int64)]
        for name, value in self._fillers.items():
            found[name] = np.full(len(rows), value)
        return found


def open_scm(section: ScmData) -> StructuralDataset:
    """Open the data set of a structural model declared in a spec.

    Raises
    ------
    CausalVAEError
        CV221 if the model is invalid, which cannot happen for a validated spec.
    """
    model = _model_of(section.variables)
    facts = {"source": "scm", "world": section.world, "origin": "drawn from the spec's structural causal model"}
    if section.world == "table":
        table = TableWorld.of(model, section.scale)
        return StructuralDataset("scm table", model, table, facts={**facts, "scaled to": section.scale})
    known = {variable.name: variable for variable in WORLDS[section.world]}
    shown = {name for name in known if name in model.by_name and not model.by_name[name].hidden}
    world: World = ShapesWorld(section.side)
    if section.world == "tones":
        world = TonesWorld(section.length, section.rate)
        facts["samples a second"] = f"{section.rate:g}"
    return StructuralDataset(
        f"scm {section.world}",
        model,
        _Bounded(world, known),
        fillers={name: _default(variable) for name, variable in known.items() if name not in shown},
        codes={
            name: tuple(float(known[name].choices.index(label)) for label in model.by_name[name].labels)
            for name in shown
            if known[name].choices
        },
        facts=facts,
    )


def open_pendulum(section: PendulumData) -> StructuralDataset:
    """The pendulum and its shade; see `causalvae.data.pendulum`."""
    facts = {
        "source": "pendulum",
        "origin": "drawn by this package from CausalVAE's equations (not the original's pixels)",
    }
    return StructuralDataset("pendulum", _model_of(section.variables), PendulumWorld(section.side), facts=facts)


def _model_of(variables: Mapping[str, VariableSection]) -> StructuralModel:
    model, findings = compile_model(variables)
    if model is None:
        first = findings[0]
        raise CausalVAEError("CV221", f"{first.message}.", first.expected, ".".join(map(str, first.path)))
    return model


def _default(variable: WorldVariable) -> float:
    if isinstance(variable.default, str):
        return float(variable.choices.index(variable.default))
    return variable.default


class _Bounded:
    """A world that clips variables to their bounds."""

    def __init__(self, world: World, known: Mapping[str, WorldVariable]) -> None:
        self._world, self._known = world, known
        self.name, self.input_shape = world.name, world.input_shape

    def render(self, values: Mapping[str, FloatArray]) -> npt.NDArray[np.float32]:
        return self._world.render(self._clip(values))

    def truth(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return self._world.truth(self._clip(values))

    def _clip(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {
            name: values[name] if variable.choices else np.clip(values[name], variable.low, variable.high)
            for name, variable in self._known.items()
        }
