"""The latent layer of a VQ-VAE: every position's vector becomes the nearest entry of a codebook."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

# Lower bound of the counts, so that an unused code keeps its value instead of becoming 0 / 0.
_LEAST_COUNT = 1e-12


class Assignment(nn.Module):
    """One-hot assignment of the nearest code at every position: one channel per code, 1 if the code is taken.

    The assignment can be read and patched like any other value: `code[17]` is the map of code 17.

    Parameters
    ----------
    codes : int
    """

    numbers: Tensor
    one: Tensor

    def __init__(self, codes: int) -> None:
        super().__init__()
        # Buffers, since constants made in forward() would keep the device and precision of the capture.
        self.register_buffer("numbers", torch.arange(codes)[:, None], persistent=False)
        self.register_buffer("one", torch.ones(()), persistent=False)

    def forward(self, value: Tensor, codebook: Tensor) -> Tensor:
        """Assign the nearest code in squared distance; the first one in case of ties.

        Parameters
        ----------
        value : Tensor, shape (batch, width, *positions)
        codebook : Tensor, shape (codes, width)

        Returns
        -------
        Tensor, shape (batch, codes, *positions)
            In the precision of `codebook`.
        """
        flat = value.flatten(2) if value.ndim > 2 else value[:, :, None]
        # ||v - e||^2 without ||v||^2, which is the same for every code.
        distance = codebook.square().sum(1)[:, None] - 2.0 * torch.matmul(codebook, flat)
        taken = distance.argmin(1)[:, None] == self.numbers
        # Zero with zero gradient, so that the assignment is part of the autograd graph.
        differentiable = 0.0 * (flat[:, :1] - flat[:, :1].detach())
        return (taken * self.one + differentiable).reshape(-1, len(codebook), *value.shape[2:])


class Quantiser(nn.Module):
    """van den Oord, Vinyals & Kavukcuoglu 2017 (arXiv 1711.00937), with the codebook of their appendix A.1.

    The codebook is not learned by gradient: each entry is a moving average of the vectors that took it.

    Parameters
    ----------
    codes : int
        Entries of the codebook.
    width : int
        Length of an entry: channels of the latent.
    rounds : bool
        Whether an entry e is computed as v + (e - v), which is how many networks pass the gradient, and differs from e
        by rounding.

    Attributes
    ----------
    code : Assignment
        Assignment of codes to positions; a component of the network.
    codebook : Tensor, shape (codes, width)
    counts : Tensor, shape (codes,)
        Moving average of the number of vectors of a batch that take each code: N of the paper.
    sums : Tensor, shape (codes, width)
        Moving average of their sum: m of the paper; the codebook is sums / counts.
    """

    codebook: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int, width: int, rounds: bool = False) -> None:
        super().__init__()
        self.rounds = rounds
        self.code = Assignment(codes)
        self.register_buffer("codebook", torch.empty(codes, width))
        self.register_buffer("counts", torch.empty(codes))
        self.register_buffer("sums", torch.empty(codes, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialise the codebook: normal with standard deviation 1 / sqrt(width), each entry counted once."""
        with torch.no_grad():
            self.codebook.normal_(std=self.codebook.shape[1] ** -0.5)
            self.counts.fill_(1.0)
            self.sums.copy_(self.codebook)

    def forward(self, value: Tensor) -> Tensor:
        """The nearest entries, of the shape of `value`, (batch, width, *positions).

        Their gradient is passed to `value` unchanged (straight-through).
        """
        quantised = self.look_up(self.code(value, self.codebook))
        if self.rounds:
            return value + (quantised - value).detach()
        # The added difference is exactly zero: it adds only the gradient.
        return quantised + (value - value.detach())

    def look_up(self, assigned: Tensor) -> Tensor:
        """The entries of an assignment (batch, codes, *positions): (batch, width, *positions).

        Linear in `assigned`, so patched assignments are valid as well.
        """
        flat = assigned.flatten(2) if assigned.ndim > 2 else assigned[:, :, None]
        width = self.codebook.shape[1]
        return torch.matmul(self.codebook.T, flat).reshape(-1, width, *assigned.shape[2:])

    def numbers_of(self, value: Tensor) -> Tensor:
        """The index of the code at every position: int tensor, (batch, *positions)."""
        assigned: Tensor = self.code(value, self.codebook)
        return assigned.argmax(1)

    @torch.no_grad()
    def learn(self, value: Tensor, decay: float, least_count: float, source: torch.Generator) -> Mapping[str, Tensor]:
        """Move the codebook towards the vectors of a batch.

        N <- decay N + (1 - decay) n, m <- decay m + (1 - decay) sum of the vectors, e <- m / N (appendix A.1, equations
        6 to 8). Then each code with N below `least_count` is replaced by a random vector of the batch, drawn from
        `source`, and counted once (Dhariwal et al. 2020, arXiv 2005.00341, section 3.1).

        Parameters
        ----------
        value : Tensor, shape (batch, width, *positions)
            The vectors before quantisation.
        decay : float
        least_count : float
            0 replaces no code.
        source : Generator
            On the CPU.

        Returns
        -------
        mapping
            ``perplexity``, exp of the entropy of code usage, from 1 to the number of codes; ``restarted``, the number
            of replaced codes.
        """
        codes, width = self.codebook.shape
        vectors = value.movedim(1, -1).reshape(-1, width)
        taken = self.code(value, self.codebook).movedim(1, -1).reshape(-1, codes)
        used = taken.sum(0)
        self.counts.mul_(decay).add_(used, alpha=1.0 - decay)
        self.sums.mul_(decay).add_(taken.T @ vectors, alpha=1.0 - decay)
        dead = (self.counts < least_count).nonzero()[:, 0]
        if len(dead):
            chosen = torch.randint(len(vectors), (len(dead),), generator=source).to(vectors.device)
            self.counts[dead] = 1.0
            self.sums[dead] = vectors[chosen]
        self.codebook.copy_(self.sums / self.counts.clamp(min=_LEAST_COUNT)[:, None])
        share = used / used.sum()
        entropy = -torch.xlogy(share, share).sum()
        return {"perplexity": entropy.exp(), "restarted": torch.tensor(float(len(dead)))}


def make_quantiser(codes: Tensor, rounds: bool = False) -> Quantiser:
    """A quantiser with a given codebook, (entries, width)."""
    entries, width = codes.shape
    made = Quantiser(entries, width, rounds)
    made.codebook.copy_(codes.detach())
    made.sums.copy_(codes.detach())
    return made
