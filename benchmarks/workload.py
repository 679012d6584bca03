"""What is swept: a network, counterfactual pairs, and the sites whose every unit is patched in turn."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from causalvae.data.dataset import Dataset, DspritesDataset
from causalvae.data.factors import FloatArray, Rows
from causalvae.data.pairs import draw_pairs
from causalvae.models.loading import Model, assemble, load_model
from causalvae.models.vae import VAE
from causalvae.readouts import build_readouts, measure
from causalvae.spec.model_section import MODEL_TAG
from causalvae.spec.readout_section import READOUT_TAG
from causalvae.spec.schema import Spec

PRETRAINED = Path(__file__).resolve().parents[2] / "shared" / "pretrained"
SEED = 7
OUTCOMES = ("pixel error", "area")

_BURGESS = (
    *((f"encoder.{name}", 32) for name in ("conv1", "conv2", "conv3", "conv_64")),
    *((f"encoder.{name}", 256) for name in ("lin1", "lin2")),
    *((f"decoder.{name}", units) for name, units in (("lin1", 256), ("lin2", 256), ("lin3", 512))),
    *((f"decoder.{name}", 32) for name in ("convT_64", "convT1", "convT2")),
)
SHIPPED = ("dsprites-disentangled", "dsprites-vae")
PUBLISHED = ("VAE_dsprites", "betaH_dsprites", "factor_dsprites", "btcvae_dsprites")


@dataclass(frozen=True)
class SweptSite:
    """A site, and where a forward hook meets it.

    Parameters
    ----------
    name : str
        The engine's name for it: the value after the activation that follows the module.
    module : str
        The module at whose output a hook patches. Setting one channel before an elementwise activation to its
        counterfactual value sets it after the activation as well, so both mean the same intervention.
    columns : tuple of int
        For each unit its position along axis 1 of the module's output.
    """

    name: str
    module: str
    columns: tuple[int, ...]

    @property
    def units(self) -> int:
        return len(self.columns)


@dataclass(frozen=True)
class Workload:
    """A sweep: Y(x; unit <- unit(x')) for every unit of every site and every pair.

    Parameters
    ----------
    name : str
    model : Model
        As the engine takes it.
    plain : VAE
        The same weights as their user has them: an nn.Module in torch's default memory layout.
    dataset : Dataset
    sites : tuple of SweptSite
    base, counterfactual : Tensor, shape (pairs, *input_shape)
    measure : callable
        The engine's readout of area: from images to (rows, 1), float64.
    capture_seconds : float
        CPU time of loading and capturing.
    """

    name: str
    model: Model
    plain: VAE
    dataset: Dataset
    sites: tuple[SweptSite, ...]
    base: Tensor
    counterfactual: Tensor
    measure: Callable[[Tensor], Tensor]
    capture_seconds: float
    folder: Path = field(default_factory=Path)

    @property
    def pairs(self) -> int:
        return len(self.base)

    @property
    def units(self) -> int:
        return sum(site.units for site in self.sites)

    def on(self, device: torch.device) -> Workload:
        """The same workload with the plain network and its inputs on a device; the engine moves its own copies."""
        plain = copy.deepcopy(self.plain).to(device)
        return replace(self, plain=plain, base=self.base.to(device), counterfactual=self.counterfactual.to(device))

    def site(self, name: str) -> SweptSite:
        return next(site for site in self.sites if site.name == name)

    def spec(self, batch_rows: int | None = None, precision: str = "float32", memory: str | None = None) -> Spec:
        """The sweep as a user writes it."""
        execution: dict[str, Any] = {"precision": precision}
        if memory is not None:
            execution["memory"] = memory
        if batch_rows is not None:
            execution["batch_rows"] = batch_rows
        return Spec.model_validate(
            {
                "spec": "causalvae/v1",
                "name": "benchmark",
                "model": {"source": "zoo", "weights": "builtin://dsprites-disentangled"},
                "data": {"source": "dsprites", "samples": max(self.pairs, 2), "seed": SEED},
                "graph": {
                    "factors": ["scale"],
                    "attributes": {"area": {"readout": "area"}},
                    "edges": ["scale -> area"],
                },
                "interventions": [
                    {"name": "resize", "input": {"factor": "scale"}},
                    {
                        "name": "sweep",
                        "activation": {
                            "components": [site.name for site in self.sites],
                            "by": "channel",
                            "from": "resize",
                            "direction": "denoising",
                        },
                    },
                ],
                "alignment": {"samples": max(self.pairs, 2)},
                "execution": execution,
            }
        )


def measure_area(images: Tensor) -> Tensor:
    """The readout that a spec's ``area`` means, for images of one channel; otherwise the sum of all numbers."""
    if images.ndim != 4 or images.shape[1] != 1:
        return images.flatten(1).sum(1, keepdim=True, dtype=torch.float64)
    return measure(build_readouts({"area": READOUT_TAG.read({"readout": "area"})}), images)


def burgess_sites(vae: VAE) -> tuple[SweptSite, ...]:
    """The 12 hidden layers and the posterior mean of the Burgess VAE, in order of computation."""
    hidden = [SweptSite(name, name, tuple(range(units))) for name, units in _BURGESS]
    step = 2 if vae.layout == "interleaved" else 1
    latent = SweptSite("latent", "encoder.mu_logvar_gen", tuple(range(0, step * vae.latent_dim, step)))
    return (*hidden[:6], latent, *hidden[6:])


def section_of(name: str) -> dict[str, Any]:
    """The model section of a spec for one of the shipped or published networks."""
    if name in SHIPPED:
        return {"source": "zoo", "weights": f"builtin://{name}"}
    return {
        "source": "checkpoint",
        "weights": str(PRETRAINED / name / "model.pt"),
        "posterior": {"layout": "interleaved"},
    }


def is_here(name: str) -> bool:
    """Whether a network's weights are on this machine."""
    return name in SHIPPED or (PRETRAINED / name / "model.pt").is_file()


def burgess_workload(name: str, pairs: int = 64) -> Workload:
    """The full sweep of one of the shipped or published networks."""
    began = time.process_time()
    section: Any = MODEL_TAG.read(section_of(name))
    model = load_model(section, Path())
    seconds = time.process_time() - began
    return make_workload(name, model, burgess_sites(model.vae), DspritesDataset(), pairs, seconds)


def assembled_workload(
    name: str,
    vae: VAE,
    modules: Sequence[str],
    channels: int,
    pairs: int,
    tint: int | None = None,
    pixels: int = 64,
) -> Workload:
    """A sweep over the first `channels` channels of some modules' outputs, for a network that is in memory."""
    began = time.process_time()
    model = assemble(vae, False, name, {})
    seconds = time.process_time() - began
    sites = []
    for module in modules:
        units = min(channels, model.components.site(module).units)
        sites.append(SweptSite(module, module, tuple(range(units))))
    dataset = TintedSprites(tint, pixels) if tint is not None else DspritesDataset()
    return make_workload(name, model, tuple(sites), dataset, pairs, seconds)


def make_workload(
    name: str, model: Model, sites: tuple[SweptSite, ...], dataset: Dataset, pairs: int, seconds: float
) -> Workload:
    """Draw do(scale) pairs as the plan's cohort does, and copy the network back into the default memory layout."""
    drawn = draw_pairs(dataset, factor="scale", samples=pairs, seed=SEED, contrast="increase")
    plain = copy.deepcopy(model.vae)
    plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    plain.eval()
    base, counterfactual = dataset.inputs(drawn.base), dataset.inputs(drawn.counterfactual)
    return Workload(name, model, plain, dataset, sites, base, counterfactual, measure_area, seconds)


class TintedSprites(DspritesDataset):
    """dSprites in colour, for networks that take three channels: each sprite has a colour of its own.

    Parameters
    ----------
    seed : int
        Of the colours.
    pixels : int
        Side of the images, a multiple of 64: pixels are repeated.
    """

    name = "tinted dsprites"

    def __init__(self, seed: int, pixels: int = 64) -> None:
        super().__init__()
        self.input_shape = (3, pixels, pixels)
        self._seed, self._repeat = seed, pixels // 64

    def inputs(self, rows: Rows) -> Tensor:
        generator = torch.Generator().manual_seed(self._seed)
        tint = 0.3 + 0.7 * torch.rand((len(rows), 3, 1, 1), generator=generator)
        images = super().inputs(rows).repeat_interleave(self._repeat, -1).repeat_interleave(self._repeat, -2)
        return 0.05 + 0.9 * images * tint

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        return {}

    def describe(self) -> dict[str, Any]:
        return {"source": "dsprites", "origin": "tinted"}
