"""A simulated perturbation screen as a data set whose every cause can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import Factor, FactorSpace, FloatArray, Rows
from causalvae.data.others import Others, recomputed
from causalvae.errors import CausalVAEError
from causalvae.spec.columns import Columns
from causalvae_neighbours.data.perturbations import PerturbationsData
from causalvae_neighbours.grace.limits import PROGRAMME_RANGE
from causalvae_neighbours.grace.simulation import World, WorldShape, build_world

if TYPE_CHECKING:
    from torch import Tensor


class PerturbationDataset:
    """Control cells of a `World`; every guide and every programme is a factor that can be set.

    A row holds a cell's guides, exogenous noise, programmes, which of the programmes were set from outside, and its
    genes' noise. So what a cell would have been under do() is computed and not inferred (Pearl 2009, section 7.1).

    Parameters
    ----------
    shape : WorldShape

    Attributes
    ----------
    world : World
    space : FactorSpace
        Guides ``g1``, ``g2``, ... with levels off and on, then programmes ``P1``, ``P2``, ...

    Raises
    ------
    CausalVAEError
        CV245 where the world has no room for its edges or double perturbations.
    """

    name = "perturbations"
    columns: Columns | None = None

    def __init__(self, shape: WorldShape) -> None:
        refuse_impossible(shape)
        self.world: World = build_world(shape)
        d, guides, genes = shape.programmes, self.world.guides, shape.genes
        ends = np.cumsum([guides, d, d, d, genes])
        self._guides = slice(0, int(ends[0]))
        self._u = slice(int(ends[0]), int(ends[1]))
        self._z = slice(int(ends[1]), int(ends[2]))
        self._set = slice(int(ends[2]), int(ends[3]))
        self._noise = slice(int(ends[3]), int(ends[4]))
        self.width = int(ends[4])
        self.input_shape: tuple[int, ...] = (genes,)
        self._descends = _ancestry(self.world.adjacency)
        self.space = FactorSpace((*self._guide_factors(), *self._programme_factors()))

    @property
    def size(self) -> int | None:
        """There is no end of cells."""
        return None

    @property
    def gene_modules(self) -> dict[str, tuple[int, ...]]:
        """Programme -> the genes that mainly follow it."""
        return {
            f"P{programme + 1}": tuple(np.flatnonzero(self.world.modules == programme).tolist())
            for programme in range(self.world.shape.programmes)
        }

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """`n` control cells: float64 array, shape (n, width)."""
        rows = np.zeros((n, self.width))
        rows[:, self._u] = rng.standard_normal((n, self.world.shape.programmes))
        rows[:, self._noise] = rng.standard_normal((n, self.world.shape.genes))
        rows[:, self._z] = self.world.programmes_of(rows[:, self._u], rows[:, self._guides])
        return rows

    def values(self, rows: Rows) -> FloatArray:
        """Guides (0 or 1) and programmes of cells: shape (n, guides + programmes)."""
        found: FloatArray = np.concatenate([rows[:, self._guides], rows[:, self._z]], axis=1)
        return found

    def inputs(self, rows: Rows) -> Tensor:
        """Expression of cells: float32 tensor in (0, 1), shape (n, genes)."""
        import torch

        return torch.from_numpy(self._expression(rows)).to(torch.float32)

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """The same cells under do(`factor` = `values`), which has shape (n,).

        ``propagate`` solves the structural equations of the factor's descendants again, each cell with its own noise;
        ``hold`` keeps all other programmes, and `Release` solves only for those that it names. A guide acts on genes
        through programmes alone, so holding them leaves the genes as they are.
        """
        changed = rows.copy()
        column = self.space.position(factor)
        d, guides = self.world.shape.programmes, self.world.guides
        z, fixed = changed[:, self._z], changed[:, self._set]
        if column < guides:
            changed[:, column] = values
            target = int(self.world.targets[column])
            below = self._descends[target] | (np.arange(d) == target)
        else:
            programme = column - guides
            z[:, programme], fixed[:, programme] = values, 1.0
            below = self._descends[programme]
        names = [f"P{i + 1}" for i in range(d)]
        again = recomputed(others, [names[i] for i in np.flatnonzero(below)])
        if again:
            stays = ~np.isin(names, again)[None, :] | (fixed > 0)
            z[:] = self.world.programmes_of(changed[:, self._u], changed[:, self._guides], stays, z.copy())
        return changed

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """Mean expression of every programme's genes, each of shape (n,), as ``column P1_*`` and so on."""
        expression = self._expression(rows)
        return {
            f"column {name}_*": expression[:, list(genes)].mean(axis=1) for name, genes in self.gene_modules.items()
        }

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        shape = self.world.shape
        edges = [
            f"P{i + 1} -> P{j + 1} ({self.world.adjacency[i, j]:+.2f})"
            for i, j in np.argwhere(self.world.adjacency != 0.0).tolist()
        ]
        guides = ", ".join(f"g{k + 1} -> P{target + 1}" for k, target in enumerate(self.world.targets))
        return {
            "source": "perturbations",
            "origin": "a simulated perturbation screen; cells drawn are controls",
            "genes": shape.genes,
            "programmes": shape.programmes,
            "mechanism": shape.mechanism,
            "true edges": ", ".join(edges),
            "guides' true targets": guides,
            "gene network": f"{int(self.world.network.sum()) // 2} edges",
            "input_shape": list(self.input_shape),
        }

    def _expression(self, rows: Rows) -> FloatArray:
        return self.world.expression(rows[:, self._z], rows[:, self._noise])

    def _guide_factors(self) -> list[Factor]:
        return [Factor(f"g{k + 1}", "categorical", (0.0, 1.0), ("off", "on")) for k in range(self.world.guides)]

    def _programme_factors(self) -> list[Factor]:
        return [Factor(f"P{j + 1}", "continuous", PROGRAMME_RANGE) for j in range(self.world.shape.programmes)]


def shape_of(section: PerturbationsData) -> WorldShape:
    """The world that a spec's data section describes."""
    return WorldShape(
        programmes=section.programmes,
        genes_each=section.genes_each,
        edges=section.edges,
        guides_each=section.guides_each,
        doubles=section.doubles,
        mechanism=section.mechanism,
        noise=section.noise,
        damping=section.damping,
        seed=section.world,
    )


def refuse_impossible(shape: WorldShape) -> None:
    """Refuse a world with more edges or double perturbations than there is room for.

    Raises
    ------
    CausalVAEError
        CV245.
    """
    d = shape.programmes
    room = d * (d - 1) // 2
    if shape.edges != "chain" and shape.edges > room:
        raise CausalVAEError(
            "CV245",
            f"{d} programmes have room for {room} edges without a cycle, not for {shape.edges}.",
            "Ask for fewer edges or more programmes.",
            "data.edges",
        )
    pairs = room * shape.guides_each**2
    if shape.doubles > pairs:
        raise CausalVAEError(
            "CV245",
            f"guides of different targets make {pairs} pairs, not {shape.doubles}.",
            "Ask for fewer double perturbations.",
            "data.doubles",
        )


def _ancestry(adjacency: FloatArray) -> npt.NDArray[np.bool_]:
    """Entry (i, j) tells whether j is a descendant of i; nothing is its own."""
    reached: npt.NDArray[np.bool_] = adjacency != 0.0
    for middle in range(len(reached)):
        reached |= reached[:, middle : middle + 1] & reached[middle : middle + 1, :]
    return reached
