"""Search for directions: Adam on the QR decomposition of a free matrix, from several initial values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from causalvae.engine.gradients import gradients_through
from causalvae.engine.subspaces.interchanges import ROWS, Interchanges, named
from causalvae.engine.workers import run_tasks
from causalvae.errors import CausalVAEError

PRINCIPAL = "the principal directions of the change"
# Rotation of a direction in the first step, in radians; it decreases to 0.
_TURN = 0.1


@dataclass(frozen=True)
class Found:
    """The result of one search, or the best of several.

    Parameters
    ----------
    basis : Tensor, float32, shape (units, dim)
        Orthonormal; each column has the sign of the mean effect of the treatment.
    start : str
        Name of the initial directions.
    loss : float
        Unexplained share of interchanges on all pairs.
    first_loss : float
        The same for the initial directions.
    """

    basis: Tensor
    start: str
    loss: float
    first_loss: float


def learn_directions(
    problem: Interchanges, dim: int, workers: int = 1, on_steps: Callable[[int], None] = lambda steps: None
) -> Found:
    """Find the directions with the smallest unexplained share of interchanges.

    Each search uses Adam with a cosine schedule of the learning rate and batches of `ROWS` pairs. One starts with the
    principal directions of x' - x, the others with random ones. The result is the best of all initial and final
    directions by the loss over all pairs; the first of equals.

    Parameters
    ----------
    problem : Interchanges
    dim : int
        Number of directions, at least one and less than the number of units.
    workers : int
        Number of searches run in parallel; it does not affect results.
    on_steps : callable
        Called with the number of steps taken.

    Raises
    ------
    CausalVAEError
        CV434 if the objective has no gradient at the patched part, CV436 if the gradient is not finite.
    """
    starts = [(PRINCIPAL, principal_directions(problem, dim))]
    for number in range(problem.learned.restarts):
        drawn = np.random.default_rng([problem.learned.seed, number]).standard_normal((problem.units, dim))
        starts.append((f"random directions {number + 1}", torch.from_numpy(drawn).to(problem.own.device)))
    found: list[Found | None] = [None] * len(starts)

    def search(number: int) -> None:
        # Leaves the inference mode of workers and callers, since gradients are needed.
        with torch.inference_mode(False):
            found[number] = _search(problem, *starts[number], number, on_steps)

    run_tasks([partial(search, number) for number in range(len(starts))], workers)
    return min((each for each in found if each is not None), key=lambda each: each.loss)


def principal_directions(problem: Interchanges, dim: int) -> Tensor:
    """The principal directions of the uncentred changes of the part from x to x', float64, (units, dim)."""
    changes = _changes(problem)
    # Eigenvalues are in increasing order.
    vectors: Tensor = torch.linalg.eigh(changes.T @ changes).eigenvectors
    return vectors[:, -dim:].flip(1)


def _search(problem: Interchanges, label: str, start: Tensor, number: int, on_steps: Callable[[int], None]) -> Found:
    learned = problem.learned
    first = orthonormal(start)
    free = first.clone().requires_grad_()
    # Adam changes each number by about the learning rate, so a column by sqrt(units) times that.
    optimiser = torch.optim.Adam([free], lr=_TURN / math.sqrt(problem.units), foreach=False)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, learned.steps)
    order = _batches(problem.pairs, learned.steps, learned.seed, number)
    with gradients_through(problem.graph):
        for pairs in order:
            loss = problem.unexplained(orthonormal(free), pairs)
            free.grad = _gradient(problem, loss, free)
            optimiser.step()
            schedule.step()
            on_steps(1)
    with torch.no_grad():
        last = _orient(orthonormal(free), problem)
        first = _orient(first, problem)
    # The result is float32, so the losses are those of the rounded directions.
    rounded = [basis.float() for basis in (last, first)]
    losses = [problem.unexplained_by_all(basis.double()) for basis in rounded]
    best = 0 if losses[0] <= losses[1] else 1
    return Found(rounded[best].detach(), label, losses[best], losses[1])


def orthonormal(free: Tensor) -> Tensor:
    """A differentiable orthonormal basis of the column space of `free`, (units, dim)."""
    basis: Tensor = torch.linalg.qr(free).Q
    return basis


def _orient(basis: Tensor, problem: Interchanges) -> Tensor:
    """The directions with signs such that the mean change of the part is positive."""
    along = _changes(problem).mean(0) @ basis
    turned: Tensor = basis * torch.where(along < 0, -1.0, 1.0)
    return turned


def _changes(problem: Interchanges) -> Tensor:
    """Changes of the part by the treatment, one row per pair and position, float64, (rows, units)."""
    return (problem.other - problem.own)[problem.pairs].double().movedim(1, -1).reshape(-1, problem.units)


def _gradient(problem: Interchanges, loss: Tensor, free: Tensor) -> Tensor:
    place, objective = f"subspace.objective: {problem.learned.objective}", named(problem.learned)
    gradient = torch.autograd.grad(loss, free, allow_unused=True)[0] if loss.requires_grad else None
    if gradient is None:
        raise CausalVAEError(
            "CV434",
            f"{objective} cannot be differentiated with respect to the patched values, so no directions can be "
            "learned by it.",
            "Write `objective: image`, or name mediators that the objective is computed from.",
            place,
        )
    if not bool(torch.isfinite(gradient).all()):
        raise CausalVAEError(
            "CV436",
            f"the gradient of {objective} is not finite while directions are learned.",
            "Write `objective: image`, or an attribute that is defined on every output.",
            place,
        )
    return gradient


def _batches(pairs: Tensor, steps: int, seed: int, number: int) -> list[Tensor]:
    """The pairs of each step: random permutations of all pairs, in batches."""
    rng = np.random.default_rng([seed, number, len(pairs)])
    size = min(ROWS, len(pairs))
    found: list[Tensor] = []
    while len(found) < steps:
        order = torch.from_numpy(rng.permutation(len(pairs))).to(pairs.device)
        found += [pairs[part] for part in order.split(size) if len(part) == size]
    return found[:steps]
