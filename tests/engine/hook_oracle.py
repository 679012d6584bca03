"""The engine written the slow way: forward hooks on the real modules and one whole forward pass an arm.

Nothing of the engine or of the captured graph is used here, so that agreement with it means something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from causalvae.data.dataset import Dataset
from causalvae.data.pairs import draw_pairs, draw_samples
from causalvae.engine.fitting import split_of
from causalvae.models.vae import VAE
from causalvae.plan.types import Arm, Cohort, Patch, Plan
from causalvae.spec.value_source import ValueSource
from tests.engine.conftest import LATENTS


@dataclass(frozen=True)
class Tap:
    """Where a forward hook meets a site: a module's output or input, a site's shape, columns of it."""

    module: str
    end: str
    shape: tuple[int, ...] | None = None
    columns: slice | None = None


# A functional ReLU is no module, so the value after it is met at the input of the module that reads it.
SMALL_TAPS = {
    "encoder.conv1@pre": Tap("encoder.conv1", "out"),
    "encoder.conv1": Tap("encoder.conv2", "in"),
    "encoder.conv2@pre": Tap("encoder.conv2", "out"),
    "encoder.conv2": Tap("encoder.lin1", "in", (8, 3, 3)),
    "encoder.lin1@pre": Tap("encoder.lin1", "out"),
    "encoder.lin1": Tap("encoder.head", "in"),
    "encoder.head": Tap("encoder.head", "out"),
    "latent.mean": Tap("encoder", "out", None, slice(0, LATENTS)),
    "latent.logvar": Tap("encoder", "out", None, slice(LATENTS, 2 * LATENTS)),
    "latent": Tap("decoder", "in"),
    "decoder.lin1@pre": Tap("decoder.lin1", "out"),
    "decoder.lin1": Tap("decoder.lin2", "in"),
    "decoder.lin2": Tap("decoder.convT1", "in", (72,)),
    "decoder.convT1@pre": Tap("decoder.convT1", "out"),
    "decoder.convT1": Tap("decoder.convT2", "in"),
    "decoder.convT2": Tap("decoder.convT2", "out"),
}


class HookOracle:
    """Runs arms of a plan one by one."""

    def __init__(
        self,
        plan: Plan,
        vae: VAE,
        sample: bool,
        dataset: Dataset,
        measure: Callable[[Tensor], Tensor],
        taps: dict[str, Tap],
    ) -> None:
        self.plan = plan
        self.vae = vae
        self.sample = sample
        self.dataset = dataset
        self.measure = measure
        self.taps = taps

    def inputs(self, cohort: Cohort) -> dict[str, Tensor]:
        treatment = cohort.treatment
        if treatment is None:
            return {"base": self.dataset.inputs(draw_samples(self.dataset, cohort.samples, cohort.seed))}
        pairs = draw_pairs(
            self.dataset,
            factor=treatment.factor,
            samples=cohort.samples,
            seed=cohort.seed,
            level=treatment.level,
            others=treatment.others,
            contrast=treatment.contrast,
        )
        return {"base": self.dataset.inputs(pairs.base), "counterfactual": self.dataset.inputs(pairs.counterfactual)}

    def noise(self, cohort: Cohort) -> Tensor:
        rng = np.random.default_rng([self.plan.seed, cohort.seed])
        # Pair by pair: a pair's noise may depend on those before it alone.
        rows = [rng.standard_normal(self.vae.latent_dim, dtype=np.float32) for _ in range(cohort.samples)]
        return torch.from_numpy(np.stack(rows))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        posterior = self.vae.encode(x)
        z = posterior.mean
        if self.sample:
            z = z + noise * torch.exp(0.5 * posterior.logvar)
        return self.vae.decode(z)

    def hooked(self, x: Tensor, noise: Tensor, changes: dict[str, Callable[[Tensor], Tensor]]) -> Tensor:
        """A whole forward pass in which the value at each site goes through a function."""
        handles = []
        if "latent.noise" in changes:
            noise = changes["latent.noise"](noise)
        try:
            for site, change in changes.items():
                if site != "latent.noise":
                    handles.append(self._hook(self.taps[site], change))
            return self.forward(x, noise)
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, tap: Tap, change: Callable[[Tensor], Tensor]) -> torch.utils.hooks.RemovableHandle:
        module: nn.Module = self.vae.get_submodule(tap.module)

        def through(value: Tensor) -> Tensor:
            result = value.clone()
            part = value if tap.columns is None else value[:, tap.columns]
            shaped = part if tap.shape is None else part.reshape(len(part), *tap.shape)
            changed = change(shaped.clone()).reshape(part.shape)
            if tap.columns is None:
                return changed
            result[:, tap.columns] = changed
            return result

        if tap.end == "out":
            return module.register_forward_hook(lambda module, given, output: through(output))
        return module.register_forward_pre_hook(lambda module, given: (through(given[0]),))

    def read(
        self, site: str, x: Tensor, noise: Tensor, changes: dict[str, Callable[[Tensor], Tensor]] | None = None
    ) -> Tensor:
        """The value at a site, of a pass in which others may be changed."""
        seen: list[Tensor] = []

        def keep(value: Tensor) -> Tensor:
            seen.append(value.clone())
            return value

        self.hooked(x, noise, {**(changes or {}), site: keep})
        (value,) = seen
        return value

    def donors(self, samples: int, seed: int) -> list[int]:
        """Each sample's donor: in a random cyclic order of the cohort, the one before."""
        donors = [-1] * samples
        order = np.random.default_rng([seed, samples]).permutation(samples)
        for place, position in enumerate(order):
            donors[position] = int(order[place - 1])
        return donors

    def source(self, source: ValueSource, site: str, side: str, cohort: Cohort) -> Tensor:
        inputs, noise = self.inputs(cohort), self.noise(cohort)
        own = self.read(site, inputs[side], noise)
        other = {"base": "counterfactual", "counterfactual": "base"}[side]
        if source.kind == "interchange":
            return self.read(site, inputs[other], noise)
        if source.kind == "relayed":
            return self.read(site, inputs[side], noise, self.changes(source.upstream, side, cohort))
        if source.kind == "zero":
            return own * 0
        if source.kind == "constant":
            return own * 0 + source.value
        base = self.read(site, inputs["base"], noise)
        if source.kind == "mean":
            fitted = split_of(cohort, 0, cohort.samples)
            seen = self.read(site, self.inputs(fitted)["base"], self.noise(fitted))
            return seen.double().mean(0, keepdim=True).expand(own.shape).float()
        if source.kind == "resample":
            return base[self.donors(cohort.samples, source.seed)]
        watched = self.plan.cohort("observed")
        watched = split_of(watched, 0, watched.samples)
        seen = self.read(site, self.inputs(watched)["base"], self.noise(watched)).double().numpy()
        if source.kind == "quantile":
            value = np.quantile(seen, source.value, axis=0)
            return torch.from_numpy(np.broadcast_to(value, own.shape).copy()).float()
        if source.kind == "median":
            return torch.from_numpy(np.broadcast_to(np.median(seen, axis=0), own.shape).copy()).float()
        assert source.kind == "sd"
        return (own.double() + source.value * torch.from_numpy(seen.std(axis=0, ddof=1))).float()

    def change(self, patch: Patch, donor: Tensor) -> Callable[[Tensor], Tensor]:
        """From the value at the patch's site to the patched value, written out position by position."""

        def apply(value: Tensor) -> Tensor:
            chosen = torch.zeros(value.shape[1:], dtype=torch.bool)
            units = range(value.shape[1]) if patch.units is None else patch.units
            for unit in units:
                part = chosen[unit]
                part[tuple(slice(start, stop) for start, stop in patch.window)] = True
                chosen[unit] = part
            if patch.subspace is None:
                return torch.where(chosen, donor, value)
            # The projection onto the columns of A is A (A'A)^-1 A', for each position of the window alone.
            width = len(list(units))
            A = np.random.default_rng(patch.subspace.seed).standard_normal((width, patch.subspace.dim))
            projection = A @ np.linalg.solve(A.T @ A, A.T)
            difference = torch.where(chosen, donor - value, 0 * value)[:, list(units)].double().numpy()
            moved = np.tensordot(difference, projection, axes=(1, 1))
            moved = np.moveaxis(moved, -1, 1)
            result = value.double()
            result[:, list(units)] += torch.from_numpy(moved)
            return result.float()

        return apply

    def changes(
        self, patches: tuple[Patch, ...], side: str, cohort: Cohort, pairs: int | None = None
    ) -> dict[str, Callable[[Tensor], Tensor]]:
        """What patches make of the value at each of their sites."""
        found: dict[str, Callable[[Tensor], Tensor]] = {}
        for patch in patches:
            change = self.change(patch, self.source(patch.source, patch.site, side, cohort)[:pairs])
            before = found.get(patch.site, lambda value: value)
            found[patch.site] = lambda value, before=before, change=change: change(before(value))  # type: ignore[misc]
        return found

    @torch.no_grad()
    def run(self, arm: Arm) -> dict[str, np.ndarray]:
        """Attributes, image_sq and image_dot of one arm."""
        cohort = self.plan.cohort(arm.cohort)
        inputs, noise = self.inputs(cohort), self.noise(cohort)
        changes = self.changes(arm.patches, arm.side, cohort, arm.pairs)
        y = self.hooked(inputs[arm.side][: arm.pairs], noise[: arm.pairs], changes)
        base = self.forward(inputs["base"], noise)[: arm.pairs]
        moved = (y - base).double().flatten(1)
        if "counterfactual" in inputs:
            effect = (self.forward(inputs["counterfactual"], noise)[: arm.pairs] - base).double().flatten(1)
        else:
            effect = torch.zeros_like(moved)
        attributes = self.measure(y).double()
        columns = {name: attributes[:, position].numpy() for position, name in enumerate(self.plan.attributes)}
        columns["image_sq"] = (moved**2).sum(1).numpy()
        columns["image_dot"] = (moved * effect).sum(1).numpy()
        return columns
