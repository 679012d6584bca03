"""A VAE's forward pass written out, in which plain hooks read and change one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from causalvae.models.vae import VAE

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Tap:
    """Where a plain hook meets a value: the output or the first input of a module, at its call number `call` from 1."""

    module: str
    end: str = "out"
    call: int = 1


def run_with(vae: VAE, x: Tensor, noise: Tensor, sample: bool, at: str | Tap, change: Change) -> Tensor:
    """The output where the value at a tap, or at a part of the latent, goes through `change`."""

    def part(name: str, value: Tensor) -> Tensor:
        return change(value.clone()) if at == name else value

    x = x.clone()
    handle = _hook(vae, at, change) if isinstance(at, Tap) else None
    try:
        mean, logvar = vae.encoder(x).chunk(2, dim=1)
        mean, logvar = part("latent.mean", mean), part("latent.logvar", logvar)
        noise = part("latent.noise", noise)
        z = mean + noise * torch.exp(0.5 * logvar) if sample else mean
        return torch.sigmoid(vae.decoder(part("latent", z)))
    finally:
        if handle is not None:
            handle.remove()


def read(vae: VAE, x: Tensor, noise: Tensor, sample: bool, at: str | Tap) -> Tensor:
    """The clean value there."""
    seen: list[Tensor] = []

    def keep(value: Tensor) -> Tensor:
        seen.append(value.clone())
        return value

    run_with(vae, x, noise, sample, at, keep)
    (value,) = seen
    return value


def _hook(vae: VAE, tap: Tap, change: Change) -> torch.utils.hooks.RemovableHandle:
    calls = 0

    def is_mine() -> bool:
        nonlocal calls
        calls += 1
        return calls == tap.call

    def after(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        return change(output.clone()) if is_mine() else None

    def before(module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        return (change(given[0].clone()), *given[1:]) if is_mine() else None

    module = vae.get_submodule(tap.module)
    return module.register_forward_hook(after) if tap.end == "out" else module.register_forward_pre_hook(before)
