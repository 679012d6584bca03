"""Opens folders saved by pythae without pythae: rebuilds its default networks from the names of their weights."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count, takewhile
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from causalvae.digest import digest
from causalvae.errors import CausalVAEError, first_line
from causalvae.models.opened import Opened, read_config
from causalvae.models.vae import VAE, Likelihood
from causalvae.models.variants.quantiser import make_quantiser
from causalvae.models.weights import Weights, load_into, read_weights
from causalvae.spec.places import locate
from causalvae.trust import refuse_code

if TYPE_CHECKING:
    from causalvae.models.kinds.pythae import PythaeModel

_FOLDER = "a folder that pythae's model.save or trainer wrote"
_CONFIG = "model_config.json"
_MOST = 1 << 31

Kind = Literal["gaussian", "point", "quantised"]


@dataclass(frozen=True)
class _Entry:
    """A kind of pythae model: its latent, and prefixes of weights used only in training."""

    name: str
    kind: Kind = "gaussian"
    besides: tuple[str, ...] = ()


# By `name` in model_config.json. Weights used only in training (a discriminator) are skipped. Models with a normalizing
# flow, Hamiltonian steps or a spherical latent have another posterior and are refused.
_MODELS = {
    "VAEConfig": _Entry("VAE"),
    "BetaVAEConfig": _Entry("BetaVAE"),
    "BetaTCVAEConfig": _Entry("BetaTCVAE"),
    "DisentangledBetaVAEConfig": _Entry("DisentangledBetaVAE"),
    "FactorVAEConfig": _Entry("FactorVAE", besides=("discriminator.",)),
    "INFOVAE_MMD_Config": _Entry("INFOVAE_MMD"),
    "IWAEConfig": _Entry("IWAE"),
    "AEConfig": _Entry("AE", "point"),
    "WAE_MMD_Config": _Entry("WAE_MMD", "point"),
    "VQVAEConfig": _Entry("VQVAE", "quantised"),
}


class PythaeEncoder(nn.Module):
    """Pythae's default encoder: linear layers with ReLUs, then a mean and, in most models, a log-variance.

    Parameters
    ----------
    state : mapping
        Weights under pythae's names, without ``encoder.``.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.layers = _layers(state, lambda last: nn.ReLU())
        self.embedding = _linear(state, "embedding")
        self.log_var = _linear(state, "log_var") if "log_var.weight" in state else None

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Mean and log-variance, each (batch, latent_dim); a deterministic encoder returns the first only."""
        hidden = x.flatten(1)
        for layer in self.layers:
            hidden = layer(hidden)
        mean: Tensor = self.embedding(hidden)
        return mean if self.log_var is None else (mean, self.log_var(hidden))


class PythaeDecoder(nn.Module):
    """Pythae's default decoder: linear layers with ReLUs, a sigmoid at the end.

    Parameters
    ----------
    state : mapping
        Weights under pythae's names, without ``decoder.``.
    output_shape : tuple of int
    """

    def __init__(self, state: Mapping[str, Tensor], output_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = _layers(state, lambda last: nn.Sigmoid() if last else nn.ReLU())
        self._output_shape = output_shape

    def forward(self, z: Tensor) -> Tensor:
        """Outputs in [0, 1], (batch, *output_shape)."""
        for layer in self.layers:
            z = layer(z)
        output: Tensor = z.unflatten(1, self._output_shape)
        return output


class CustomEncoder(nn.Module):
    """Wraps a user's pythae encoder: returns its named outputs as mean and log-variance."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Mean and log-variance, each (batch, latent_dim); a deterministic encoder returns the first only."""
        found = self.body(x)
        mean: Tensor = found["embedding"]
        return (mean, found["log_covariance"]) if "log_covariance" in found else mean


class CustomDecoder(nn.Module):
    """Wraps a user's pythae decoder: returns its named output."""

    def __init__(self, body: nn.Module, output_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.body = body
        self._output_shape = output_shape

    def forward(self, z: Tensor) -> Tensor:
        """Outputs, (batch, *output_shape)."""
        output: Tensor = self.body(z)["reconstruction"]
        return output.reshape(-1, *self._output_shape)


class ScalarQuantiser(nn.Module):
    """The codebook of a pythae VQ-VAE over a vector: each latent becomes the nearest code.

    Pythae treats a vector of latents as an image of one channel, so its codes are single numbers.

    Parameters
    ----------
    codes : Tensor, shape (entries, 1)
    """

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.quantiser = make_quantiser(codes)

    def forward(self, z: Tensor) -> Tensor:
        """The nearest codes, (batch, latent_dim)."""
        nearest: Tensor = self.quantiser(z[:, None])
        return nearest[:, 0]


def _layers(state: Mapping[str, Tensor], follow: Callable[[bool], nn.Module]) -> nn.ModuleList:
    depth = sum(1 for _ in takewhile(lambda level: f"layers.{level}.0.weight" in state, count()))
    return nn.ModuleList(
        nn.Sequential(_linear(state, f"layers.{level}.0"), follow(level == depth - 1)) for level in range(depth)
    )


def _linear(state: Mapping[str, Tensor], name: str) -> nn.Linear:
    outputs, inputs = state[f"{name}.weight"].shape
    return nn.Linear(inputs, outputs)


def open_pythae(section: PythaeModel, folder: Path, input_shape: tuple[int, ...]) -> Opened:
    """Read a folder saved by pythae.

    Parameters
    ----------
    section : PythaeModel
    folder : Path
        The spec file's folder.
    input_shape : tuple of int
        Of the data. If the folder declares another shape of the same size, this one is used.

    Raises
    ------
    CausalVAEError
        CV129 if the folder is not from pythae or its kind of model is not supported; CV117 if it holds pickled modules
        and code is not allowed, CV118 if these fail; CV102 and CV103 for its weights.
    """
    place = locate(folder, section.path)
    config = read_config(place / _CONFIG, section.path, "CV129", _FOLDER)
    try:
        name = str(config["name"])
        latents = int(config["latent_dim"])
        shape = tuple(int(size) for size in config["input_dim"])
        if not all(0 < size <= _MOST for size in (latents, *shape)):
            raise ValueError
    except (LookupError, TypeError, ValueError, OverflowError):
        raise _refuse(
            section, f"{_CONFIG} lacks name, latent_dim or input_dim, or they are no sizes", f"Name {_FOLDER}."
        ) from None
    entry = _MODELS.get(name)
    if entry is None:
        known = ", ".join(model.name for model in _MODELS.values())
        raise _refuse(section, f"it holds a {name.removesuffix('Config').rstrip('_')}", f"Models that can be: {known}.")
    if shape != tuple(input_shape) and prod(shape) == prod(input_shape):
        shape = tuple(input_shape)
    weights = replace(read_weights("model.pt", place, "model_state_dict"), place=f"{section.path}/model.pt")
    state = {key: value for key, value in weights.state.items() if not key.startswith(entry.besides)}
    encoder = _encoder(section, place, config, _below(state, "encoder."))
    decoder = _decoder(section, place, config, _below(state, "decoder."), shape)
    likelihood: Likelihood = "bernoulli" if config.get("reconstruction_loss") == "bce" else "gaussian"
    vae = VAE(
        encoder,
        decoder,
        latents,
        shape,
        layout="heads" if entry.kind == "gaussian" else "point",
        activation="none",
        likelihood=likelihood,
        input_range=section.input_range,
        latent_layer=_quantiser(section, state, latents) if entry.kind == "quantised" else None,
    )
    custom = [part for part in ("encoder", "decoder") if not config.get(f"uses_default_{part}", True)]
    facts = {
        "format": "pythae",
        "network": entry.name,
        "architecture": f"{' and '.join(custom)} of the user's own" if custom else "pythae's default perceptrons",
        "objective": ", ".join([entry.name, *(f"{key} {config[key]}" for key in ("beta", "gamma") if key in config)]),
    }
    return Opened(vae, digest([Weights(state, {}, "").digest, name, shape]), facts)


def _refuse(section: PythaeModel, what: str, remedy: str) -> CausalVAEError:
    return CausalVAEError("CV129", f"{section.path} cannot be read: {what}.", remedy, "model.path")


def _below(state: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}


def _encoder(section: PythaeModel, place: Path, config: Mapping[str, Any], state: dict[str, Tensor]) -> nn.Module:
    if not config.get("uses_default_encoder", True):
        body = _unpickle(section, place, "encoder")
        load_into(body, Weights(state, {}, f"{section.path}/model.pt"))
        return CustomEncoder(body)
    return _filled(section, "encoder", state, PythaeEncoder, ("layers.0.0.weight", "embedding.weight"))


def _decoder(
    section: PythaeModel, place: Path, config: Mapping[str, Any], state: dict[str, Tensor], shape: tuple[int, ...]
) -> nn.Module:
    if not config.get("uses_default_decoder", True):
        body = _unpickle(section, place, "decoder")
        load_into(body, Weights(state, {}, f"{section.path}/model.pt"))
        return CustomDecoder(body, shape)
    return _filled(section, "decoder", state, lambda given: PythaeDecoder(given, shape), ("layers.0.0.weight",))


def _filled(
    section: PythaeModel,
    part: str,
    state: dict[str, Tensor],
    make: Callable[[Mapping[str, Tensor]], nn.Module],
    needed: tuple[str, ...],
) -> nn.Module:
    """One of pythae's default networks with its weights."""
    lacking = [name for name in needed if name not in state or state[name].ndim != 2]
    if lacking:
        raise _refuse(
            section,
            f"its weights lack {part}.{lacking[0]}, which pythae's default {part} has",
            "Was it saved by another version of pythae, or with a network of your own whose pickle was removed?",
        )
    module = make(state)
    load_into(module, Weights(state, {}, f"{section.path}/model.pt, {part}"))
    return module


def _quantiser(section: PythaeModel, state: Mapping[str, Tensor], latents: int) -> ScalarQuantiser:
    # A codebook learned by moving averages is a buffer; one learned by gradients is an nn.Embedding.
    codes = state.get("quantizer.embeddings", state.get("quantizer.embeddings.weight"))
    if codes is None or codes.ndim != 2:
        raise _refuse(section, "its weights have no codebook", f"Name {_FOLDER}.")
    if codes.shape[1] != 1:
        raise _refuse(
            section,
            f"its codes have {codes.shape[1]} numbers: its encoder gives maps, not a vector of {latents} latents",
            "Of VQ-VAEs only those over pythae's default networks can be read.",
        )
    return ScalarQuantiser(codes)


def _unpickle(section: PythaeModel, place: Path, part: str) -> nn.Module:
    """A user's module, which pythae saves as a pickle; reading it runs code."""
    path = place / f"{part}.pkl"
    if not path.is_file():
        raise _refuse(section, f"{_CONFIG} says that its {part} is its own, and there is no {path.name}", f"{_FOLDER}.")
    refuse_code(f"{section.path}/{path.name}, a pickled module", "model.path")
    try:
        with path.open("rb") as file:
            module: Any = pickle.load(file)  # noqa: S301 (only where the user allows code)
    except ModuleNotFoundError as error:
        raise CausalVAEError(
            "CV118",
            f"{section.path}/{path.name} needs the library {error.name}, which is not installed.",
            "pip install 'causalvae[pythae]' installs pythae and cloudpickle; install what else it names.",
            "model.path",
        ) from error
    except Exception as error:  # whatever the pickle runs
        raise CausalVAEError(
            "CV118",
            f"{section.path}/{path.name} cannot be read: {type(error).__name__}: {first_line(error)}",
            "Pickles depend on the versions of Python and of the libraries that wrote them; environment.json names "
            "the version of Python.",
            "model.path",
        ) from error
    if not isinstance(module, nn.Module):
        raise _refuse(section, f"{path.name} holds a {type(module).__name__}, not a module", f"Name {_FOLDER}.")
    return module.to(torch.device("cpu"))
