"""A latent layer that is a structural causal model, and the soft interventions that change its mechanisms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from causalvae_neighbours.grace.simulation import Mechanism

_STARTING_WEIGHT = 0.1
_STARTING_SHIFT = 1.0


class CausalNode(nn.Module):
    """One structural equation: z_j = u_j + sum over i < j of A_ij f(z_i).

    Parameters
    ----------
    parents : int
        How many nodes come before this one.
    mechanism : {"linear", "relu", "tanh"}
        f.
    """

    def __init__(self, parents: int, mechanism: Mechanism = "linear") -> None:
        super().__init__()
        self.mechanism: Mechanism = mechanism
        self.weights = nn.Parameter(torch.empty(parents, 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw small weights again."""
        with torch.no_grad():
            self.weights.normal_(0.0, _STARTING_WEIGHT)

    def forward(self, u: Tensor, before: Tensor | None) -> Tensor:
        """The node's value, (batch, 1), from its noise, (batch, 1), and the nodes before it, (batch, parents)."""
        if before is None:
            # A sum, so that the root is a value of its own and not a view of all the noise.
            return u + 0.0
        return u + pass_on(before, self.mechanism) @ self.weights


class PerturbationEncoder(nn.Module):
    """From the guides that a cell carries to a soft intervention on every node.

    Each guide has a softmax over the nodes (its target), a shift and a scale. A guide that hits node j with
    probability s_j multiplies the mechanism of j by 1 + s_j (scale - 1) and adds s_j shift; several guides of one cell
    multiply and add. Whether a guide raises or lowers its target is part of its label, as it is in a screen by
    activation or interference; by how much is learned.

    Parameters
    ----------
    directions : Tensor, shape (guides,)
        One for a guide that raises its target, minus one for a guide that lowers it.
    size : int
        Number of nodes.
    """

    directions: Tensor

    def __init__(self, directions: Tensor, size: int) -> None:
        super().__init__()
        self.register_buffer("directions", directions.to(torch.float32))
        self.logits = nn.Parameter(torch.empty(len(directions), size))
        self.raw_shift = nn.Parameter(torch.empty(len(directions)))
        self.log_scale = nn.Parameter(torch.empty(len(directions)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw targets again; shifts of moderate size, scales of one."""
        with torch.no_grad():
            self.logits.normal_(0.0, _STARTING_WEIGHT)
            self.raw_shift.fill_(_STARTING_SHIFT)
            self.log_scale.zero_()

    @property
    def shifts(self) -> Tensor:
        """What each guide adds to its target, shape (guides,)."""
        return self.directions * nn.functional.softplus(self.raw_shift)

    def targets(self, temperature: float = 1.0) -> Tensor:
        """Each guide's weight on each node, shape (guides, size); rows sum to one."""
        return torch.softmax(self.logits * temperature, 1)

    def forward(self, guides: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
        """Scale and shift of every node.

        Parameters
        ----------
        guides : Tensor, shape (n, guides)
            Ones where a cell carries the guide, else zeros.
        temperature : float
            What the softmax's logits are multiplied by; a high one makes each guide hit a single node.

        Returns
        -------
        tuple of Tensor
            Scale and shift, each of shape (n, size).
        """
        targets = self.targets(temperature)
        damping = 1.0 + targets * (self.log_scale.exp() - 1.0)[:, None]
        scale = torch.exp(guides @ torch.log(damping))
        return scale, guides @ (targets * self.shifts[:, None])


class CausalLayer(nn.Module):
    """From exogenous noise to causally related latents, node by node.

    For linear mechanisms without interventions this is z = u (I - A)^-1 for row vectors, A strictly upper triangular.
    The nodes are computed one after another, each in a module of its own, so that a value that replaces one node's
    output reaches that node's descendants and no other node.

    Parameters
    ----------
    size : int
        Number of nodes.
    mechanism : {"linear", "relu", "tanh"}
        What a node passes on to its children.
    directions : Tensor, shape (guides,), optional
        Of the guides that may intervene; see `PerturbationEncoder`. None if omitted.
    """

    def __init__(self, size: int, mechanism: Mechanism = "linear", directions: Tensor | None = None) -> None:
        super().__init__()
        self.size = size
        self.mechanism: Mechanism = mechanism
        self.nodes = nn.ModuleList(CausalNode(parents, mechanism) for parents in range(size))
        self.perturbations = PerturbationEncoder(torch.ones(0) if directions is None else directions, size)

    def forward(self, u: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """Latents, (batch, size).

        Parameters
        ----------
        u : Tensor, shape (batch, size)
            Exogenous noise.
        scale, shift : Tensor, shape (batch, size), optional
            A soft intervention on every mechanism; scale 1 and shift 0 is none.
        """
        values: list[Tensor] = []
        for place, node in enumerate(self.nodes):
            before = torch.cat(values, 1) if values else None
            value = node(u[:, place : place + 1], before)
            if scale is not None and shift is not None:
                value = scale[:, place : place + 1] * value + shift[:, place : place + 1]
            values.append(value)
        return torch.cat(values, 1)

    @property
    def guides(self) -> int:
        """Number of guides that may intervene."""
        return len(self.perturbations.directions)

    def perturb(self, u: Tensor, guides: Tensor, temperature: float = 1.0) -> Tensor:
        """Latents, (batch, size), of cells that carry `guides`, (batch, guides); see `PerturbationEncoder`."""
        scale, shift = self.perturbations(guides, temperature)
        return self(u, scale, shift)  # type: ignore[no-any-return]

    def adjacency(self) -> Tensor:
        """A, shape (size, size): entry (i, j) is the weight of i -> j; strictly upper triangular."""
        columns = []
        for place, node in enumerate(self.nodes):
            weights = node.get_parameter("weights")[:, 0]
            columns.append(torch.cat([weights, weights.new_zeros(self.size - place)]))
        return torch.stack(columns, 1)


def pass_on(values: Tensor, mechanism: Mechanism) -> Tensor:
    """What nodes of these values give to their children: f(z)."""
    if mechanism == "relu":
        return torch.relu(values)
    return torch.tanh(values) if mechanism == "tanh" else values
