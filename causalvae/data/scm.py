"""Data sets of structural causal models: variables and noise in the rows, pictures, sounds or tables as inputs."""

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
    """Shows the values of variables."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        ...

    def render(self, values: Mapping[str, FloatArray]) -> npt.NDArray[np.float32]:
        """Inputs of shape (n, *input_shape), from variables of shape (n,)."""
        ...

    def truth(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """What readouts of them should find, each of shape (n,)."""
        ...


class StructuralDataset:
    """Samples of a structural causal model, shown by a world.

    Parameters
    ----------
    model : StructuralModel
    world : World
    fillers : mapping
        Values of the world's variables that the model does not have.
    codes : mapping
        Variable -> what the world calls each of its labels.
    facts : mapping
        For the report.
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
        """Every variable of the model."""
        return self.sampler.space

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""
        return self._world.input_shape

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """`n` samples: values, noise, and which variables were set; see `causalvae.data.structural.Sampler`."""
        return self.sampler.draw(n, rng)

    def values(self, rows: Rows) -> FloatArray:
        """Values of all variables: float64 array, shape (n, n_factors)."""
        return self.sampler.values(rows)

    def inputs(self, rows: Rows) -> Tensor:
        """The world's pictures, sounds or columns: float32 tensor of shape (n, *input_shape)."""
        import torch

        return torch.from_numpy(self._world.render(self._shown(rows)))

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """The same samples, with their own noise, under do(`factor` = `values`); see `Sampler.intervene`."""
        return self.sampler.intervene(rows, factor, values, others)

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """What readouts of the inputs should find; see the world's own."""
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
        """The world's variables: the model's own where it has them, coded as the world does, else fillers."""
        values = self.sampler.values(rows)
        found = {name: values[:, column] for column, name in enumerate(self.sampler.model.names)}
        for name, codes in self._codes.items():
            found[name] = np.asarray(codes)[found[name].round().astype(np.int64)]
        for name, value in self._fillers.items():
            found[name] = np.full(len(rows), value)
        return found


def open_scm(section: ScmData) -> StructuralDataset:
    """The data set that a spec's own structural model declares.

    Raises
    ------
    CausalVAEError
        CV221 where the model does not hang together; a spec that was validated does.
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
    """A world that shows the nearest possible where an intervention asks for more."""

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
