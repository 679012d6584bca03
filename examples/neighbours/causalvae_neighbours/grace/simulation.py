"""Perturbation screens drawn from a known structural causal model of gene programmes.

A cell has `d` latent programmes z, in a hidden causal order::

    z_j = scale_j * (sum_i A_ij f(z_i) + u_j) + shift_j,      u_j ~ N(0, 1)

f is the identity, the rectifier or tanh. A guide changes the mechanism of one programme (a soft intervention: parents
keep their influence, damped by `scale`); a control cell has scale 1 and shift 0 everywhere. Genes follow their
programmes::

    x_g = sigmoid(b_g + sum_j L_gj z_j + noise e_g),           e_g ~ N(0, 1)

and two genes of one programme are joined in the gene network far more often than others (a stochastic block model), so
that a gene's neighbours say something of its programme.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Mechanism = Literal["linear", "relu", "tanh"]
CONTROL = 0

_WORLD_STREAM = 1
_EDGE_WEIGHTS = (0.6, 1.0)
_LOADINGS = (0.35, 0.65)
_CROSS_LOADING = 0.2
_CROSS_SHARE = 0.3
_BIASES = (-0.6, 0.6)
_SHIFTS = (1.5, 2.5)
_SCALES = (0.15, 0.45)


@dataclass(frozen=True)
class WorldShape:
    """How a world is drawn.

    Parameters
    ----------
    programmes : int
        Latent programmes.
    genes_each : int
        Genes whose main programme is the same.
    edges : int or "chain"
        Edges among the programmes, drawn uniformly from those that the hidden order allows; a chain has one from each
        programme to the next.
    guides_each : int
        Guides (single perturbations) that target the same programme.
    doubles : int
        Perturbations by two guides of different targets.
    mechanism : {"linear", "relu", "tanh"}
        What a programme passes on to its children.
    noise : float
        Standard deviation of a gene's own noise, before the sigmoid.
    damping : bool
        Whether guides also damp the mechanism (scale below 1) or only shift it.
    inside, outside : float
        Probability of an edge of the gene network within and between programmes.
    seed : int
    """

    programmes: int = 6
    genes_each: int = 8
    edges: int | Literal["chain"] = 7
    guides_each: int = 2
    doubles: int = 6
    mechanism: Mechanism = "relu"
    noise: float = 0.5
    damping: bool = False
    inside: float = 0.5
    outside: float = 0.02
    seed: int = 0

    @property
    def genes(self) -> int:
        """Number of genes."""
        return self.programmes * self.genes_each


@dataclass(frozen=True)
class Perturbation:
    """A perturbation of one cell.

    Parameters
    ----------
    name : str
    guides : tuple of int
        Which guides, numbered from 0; empty for a control.
    """

    name: str
    guides: tuple[int, ...]


@dataclass(frozen=True)
class World:
    """The truth behind a screen.

    Parameters
    ----------
    shape : WorldShape
    adjacency : float array, shape (programmes, programmes)
        ``adjacency[i, j]`` is the weight of i -> j.
    order : tuple of int
        The programmes, causes first.
    loadings : float array, shape (genes, programmes)
    biases : float array, shape (genes,)
    modules : int array, shape (genes,)
        Each gene's main programme.
    network : bool array, shape (genes, genes)
        The gene network: symmetric, no loops.
    targets : int array, shape (guides,)
        The programme that each guide changes.
    shifts, scales : float array, shape (guides,)
    perturbations : tuple of Perturbation
        The control first, then a guide each, then the doubles.
    """

    shape: WorldShape
    adjacency: FloatArray
    order: tuple[int, ...]
    loadings: FloatArray
    biases: FloatArray
    modules: IntArray
    network: npt.NDArray[np.bool_]
    targets: IntArray
    shifts: FloatArray
    scales: FloatArray
    perturbations: tuple[Perturbation, ...]

    @property
    def guides(self) -> int:
        """Number of guides."""
        return len(self.targets)

    @property
    def singles(self) -> range:
        """Codes of the perturbations by one guide."""
        return range(1, 1 + self.guides)

    @property
    def doubles(self) -> range:
        """Codes of the perturbations by two guides."""
        return range(1 + self.guides, len(self.perturbations))

    def pass_on(self, z: FloatArray) -> FloatArray:
        """What programmes of value `z` give to their children: f(z)."""
        if self.shape.mechanism == "relu":
            return np.maximum(z, 0.0)
        return np.tanh(z) if self.shape.mechanism == "tanh" else z

    @property
    def carried(self) -> FloatArray:
        """Which guides each perturbation brings, ones and zeros: shape (perturbations, guides)."""
        table = np.zeros((len(self.perturbations), self.guides))
        for code, perturbation in enumerate(self.perturbations):
            table[code, list(perturbation.guides)] = 1.0
        return table

    def changes(self, guides: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scale and shift of every mechanism: two arrays, (n, programmes).

        Parameters
        ----------
        guides : float array, shape (n, guides)
            Ones where a cell carries a guide. Guides of one target multiply their scales and add their shifts.
        """
        hits = np.zeros((self.guides, self.shape.programmes))
        hits[np.arange(self.guides), self.targets] = 1.0
        scale = np.exp(guides @ (hits * np.log(self.scales)[:, None]))
        return scale, guides @ (hits * self.shifts[:, None])

    def programmes_of(
        self,
        u: FloatArray,
        guides: FloatArray,
        held: npt.NDArray[np.bool_] | None = None,
        values: FloatArray | None = None,
    ) -> FloatArray:
        """Solve the structural equations.

        Parameters
        ----------
        u : float array, shape (n, programmes)
            Exogenous noise.
        guides : float array, shape (n, guides)
            Ones where a cell carries a guide.
        held : bool array, shape (n, programmes), optional
            Where a do() replaces the equation by `values`, of the same shape.

        Returns
        -------
        float array, shape (n, programmes)
        """
        scale, shift = self.changes(guides)
        z = np.zeros_like(u)
        for j in self.order:
            z[:, j] = scale[:, j] * (self.pass_on(z) @ self.adjacency[:, j] + u[:, j]) + shift[:, j]
            if held is not None and values is not None:
                z[:, j] = np.where(held[:, j], values[:, j], z[:, j])
        return z

    def expression(self, z: FloatArray, noise: FloatArray) -> FloatArray:
        """Genes of cells with programmes `z`, (n, programmes), and noise of unit variance, (n, genes): in (0, 1)."""
        logits = self.biases + z @ self.loadings.T + self.shape.noise * noise
        values: FloatArray = 1.0 / (1.0 + np.exp(-logits))
        return values


def build_world(shape: WorldShape) -> World:
    """Draw a world; equal shapes give equal worlds."""
    rng = np.random.default_rng(np.random.SeedSequence(shape.seed, spawn_key=(_WORLD_STREAM,)))
    d, genes = shape.programmes, shape.genes
    order = rng.permutation(d)
    allowed = [(order[a], order[b]) for a in range(d) for b in range(a + 1, d)]
    if shape.edges == "chain":
        allowed = list(pairwise(order))
    adjacency = np.zeros((d, d))
    for k in rng.permutation(len(allowed))[: len(allowed) if shape.edges == "chain" else shape.edges]:
        adjacency[allowed[k]] = rng.uniform(*_EDGE_WEIGHTS) * rng.choice((-1.0, 1.0))

    modules = np.repeat(np.arange(d), shape.genes_each)
    loadings = np.zeros((genes, d))
    loadings[np.arange(genes), modules] = rng.uniform(*_LOADINGS, genes)
    crossing = rng.random(genes) < _CROSS_SHARE
    other = (modules + rng.integers(1, d, genes)) % d
    loadings[np.arange(genes), other] += np.where(crossing, rng.uniform(-_CROSS_LOADING, _CROSS_LOADING, genes), 0.0)

    same = modules[:, None] == modules[None, :]
    drawn = np.triu(rng.random((genes, genes)) < np.where(same, shape.inside, shape.outside), 1)

    targets = np.repeat(np.arange(d), shape.guides_each)
    guides = len(targets)
    # A programme's guides take turns in raising and lowering it, so that what it passes on is seen at both ends.
    signs = rng.choice((-1.0, 1.0), d)[targets] * np.tile((1.0, -1.0), guides)[_rank_within(targets)]
    shifts = rng.uniform(*_SHIFTS, guides) * signs
    scales = rng.uniform(*_SCALES, guides) if shape.damping else np.ones(guides)
    pairs = [(a, b) for a in range(guides) for b in range(a + 1, guides) if targets[a] != targets[b]]
    doubles = [pairs[k] for k in sorted(rng.permutation(len(pairs))[: shape.doubles])]
    perturbations = (
        Perturbation("control", ()),
        *(Perturbation(f"g{guide + 1}", (guide,)) for guide in range(guides)),
        *(Perturbation(f"g{a + 1}_g{b + 1}", (a, b)) for a, b in doubles),
    )
    return World(
        shape=shape,
        adjacency=adjacency,
        order=tuple(int(j) for j in order),
        loadings=loadings,
        biases=rng.uniform(*_BIASES, genes),
        modules=modules.astype(np.int64),
        network=drawn | drawn.T,
        targets=targets.astype(np.int64),
        shifts=shifts,
        scales=scales,
        perturbations=perturbations,
    )


def _rank_within(groups: IntArray) -> IntArray:
    """For each entry how many entries before it are equal to it."""
    return np.array([int((groups[:k] == group).sum()) for k, group in enumerate(groups)], dtype=np.int64)


@dataclass(frozen=True)
class Cells:
    """Simulated cells.

    Parameters
    ----------
    codes : int array, shape (n,)
        Perturbations.
    u, z : float array, shape (n, programmes)
    expression : float array, shape (n, genes)
    """

    codes: IntArray
    u: FloatArray
    z: FloatArray
    expression: FloatArray


def draw_cells(world: World, codes: IntArray, rng: np.random.Generator) -> Cells:
    """Cells under perturbations `codes`, shape (n,)."""
    u = rng.standard_normal((len(codes), world.shape.programmes))
    noise = rng.standard_normal((len(codes), world.shape.genes))
    z = world.programmes_of(u, world.carried[codes])
    return Cells(codes, u, z, world.expression(z, noise))
