"""Opens folders saved by diffusers: AutoencoderKL, VQModel and AutoencoderTiny, whose latents are maps."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from causalvae.digest import digest
from causalvae.errors import CausalVAEError, first_line
from causalvae.models.opened import Opened, read_config
from causalvae.models.vae import VAE
from causalvae.models.variants.quantiser import make_quantiser
from causalvae.models.weights import Weights
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.models.kinds.diffusers import DiffusersModel

_CONFIG = "config.json"
_WEIGHTS = "diffusion_pytorch_model"
_CLASSES = ("AutoencoderKL", "VQModel", "AutoencoderTiny")
# Where diffusers' DiagonalGaussianDistribution cuts off log-variances.
_LEAST, _MOST = -30.0, 20.0


class GaussianEncoder(nn.Module):
    """The encoder of an AutoencoderKL with its `quant_conv`; returns maps of means and log-variances."""

    def __init__(self, body: nn.Module, quant_conv: nn.Module | None) -> None:
        super().__init__()
        self.body = body
        self.quant_conv = quant_conv

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each (batch, channels, height, width); the log-variance is clamped as in diffusers."""
        moments = self.body(x)
        if self.quant_conv is not None:
            moments = self.quant_conv(moments)
        mean, logvar = moments.chunk(2, dim=1)
        return mean, logvar.clamp(_LEAST, _MOST)


class PointEncoder(nn.Module):
    """A deterministic encoder, with the convolution that follows it if there is one."""

    def __init__(self, body: nn.Module, quant_conv: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.quant_conv = quant_conv

    def forward(self, x: Tensor) -> Tensor:
        """Latents, (batch, channels, height, width)."""
        latents: Tensor = self.body(x)
        return latents if self.quant_conv is None else self.quant_conv(latents)


class MapDecoder(nn.Module):
    """A decoder with the convolution before it, if there is one.

    Parameters
    ----------
    body : nn.Module
    post_quant_conv : nn.Module or None
    reads_codes : bool
        Whether its normalisation layers also read the latent (``norm_type: spatial`` of a VQModel).
    """

    def __init__(self, body: nn.Module, post_quant_conv: nn.Module | None = None, reads_codes: bool = False) -> None:
        super().__init__()
        self.post_quant_conv = post_quant_conv
        self.body = body
        self._reads_codes = reads_codes

    def forward(self, z: Tensor) -> Tensor:
        """Images in [-1, 1], (batch, channels, height, width)."""
        entering = z if self.post_quant_conv is None else self.post_quant_conv(z)
        images: Tensor = self.body(entering, z) if self._reads_codes else self.body(entering)
        return images


class Upsampling(nn.Module):
    """Twice the resolution, then a convolution: diffusers' layer without its branch on the batch size.

    That branch only makes batches of 64 or more contiguous, but `torch.export` would limit the batch size to 63.
    """

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        """Images of twice the height and width."""
        larger: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return larger


def open_diffusers(section: DiffusersModel, folder: Path, input_shape: tuple[int, ...]) -> Opened:
    """Read a folder saved by diffusers.

    Scaling and shift factors of the configuration belong to the pipeline and are not applied.

    Parameters
    ----------
    section : DiffusersModel
    folder : Path
        The spec file's folder.
    input_shape : tuple of int
        Of the data: (channels, height, width).

    Raises
    ------
    CausalVAEError
        CV131 if diffusers is not installed, CV132 for folders that cannot be read, CV104 if the data has another number
        of channels.
    """
    place = locate(folder, section.path)
    if not (place / _CONFIG).is_file() and (place / "vae" / _CONFIG).is_file():
        place = place / "vae"
    config = read_config(
        place / _CONFIG, section.path, "CV132", "a folder that save_pretrained of an autoencoder wrote"
    )
    kind = str(config.get("_class_name"))
    if kind not in _CLASSES:
        raise _refuse(section, f"it holds a {kind}", f"Autoencoders that can be: {', '.join(_CLASSES)}.")
    if find_spec("diffusers") is None:
        raise CausalVAEError(
            "CV131",
            f"{section.path} is a network of diffusers, which is not installed.",
            "pip install 'causalvae[diffusers]' installs it.",
            "model.source",
        )
    network = _read_network(section, place, kind)
    wanted = (network.config.in_channels, network.config.out_channels)
    if len(input_shape) != 3 or wanted != (input_shape[0], input_shape[0]):
        raise CausalVAEError(
            "CV104",
            f"the network takes images of {wanted[0]} channels and gives {wanted[1]}, the data have shape "
            f"{' x '.join(map(str, input_shape))}.",
            "Choose data that the network was trained on.",
            "model",
        )
    state = {name: value.detach() for name, value in network.state_dict().items()}
    facts = {
        "format": "diffusers",
        "network": kind,
        "trained by diffusers": str(config.get("_diffusers_version", "unknown")),
        "latents are": "the network's own; scaling factors of the configuration are not applied",
    }
    return Opened(_as_vae(network, kind, input_shape), digest([Weights(state, {}, "").digest, kind, config]), facts)


def _refuse(section: DiffusersModel, what: str, remedy: str) -> CausalVAEError:
    return CausalVAEError("CV132", f"{section.path} cannot be read: {what}.", remedy, "model.path")


def _read_network(section: DiffusersModel, place: Path, kind: str) -> Any:
    """The network with its weights, in float32; names and shapes must match, and nothing is downloaded."""
    import diffusers

    files = sorted(path.name for path in place.glob(f"{_WEIGHTS}*") if path.is_file())
    if not files:
        raise _refuse(section, f"it has no {_WEIGHTS}.safetensors", "Copy the weights next to config.json.")
    plain = any(name.startswith((f"{_WEIGHTS}.safetensors", f"{_WEIGHTS}.bin", f"{_WEIGHTS}-")) for name in files)
    # A file of its own precision is called diffusion_pytorch_model.fp16.safetensors.
    variant = None if plain else files[0].removeprefix(_WEIGHTS + ".").split(".")[0].split("-")[0]
    for name in files:
        # A file that cannot be read raises its own OSError here and is not reported as damaged.
        with (place / name).open("rb"):
            pass
    try:
        with _quiet():
            network, told = getattr(diffusers, kind).from_pretrained(
                str(place),
                local_files_only=True,
                low_cpu_mem_usage=False,
                output_loading_info=True,
                torch_dtype=torch.float32,
                variant=variant,
            )
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        raise _refuse(section, first_line(error), "Check that the folder was copied whole.") from error
    wrong = [
        f"{what} {', '.join(map(str, told[key][:3]))}{' and others' if len(told[key]) > 3 else ''}"
        for key, what in (
            ("missing_keys", "missing"),
            ("unexpected_keys", "unexpected"),
            ("mismatched_keys", "of another shape"),
        )
        if told.get(key)
    ]
    if wrong:
        raise _refuse(section, f"its weights do not fit its configuration: {'; '.join(wrong)}", "Copy both again.")
    return network.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the log of diffusers: notes about optional libraries, and problems that are reported here as errors."""
    logger = logging.getLogger("diffusers")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _as_vae(network: Any, kind: str, input_shape: tuple[int, ...]) -> VAE:
    config: Mapping[str, Any] = network.config
    latents = int(config["latent_channels"])
    encoder: nn.Module
    layer: nn.Module | None = None
    if kind == "AutoencoderKL":
        encoder = GaussianEncoder(network.encoder, network.quant_conv)
        decoder = MapDecoder(network.decoder, network.post_quant_conv)
    elif kind == "VQModel":
        codes = network.quantize.embedding.weight
        layer, latents = make_quantiser(codes), codes.shape[1]
        encoder = PointEncoder(network.encoder, network.quant_conv)
        decoder = MapDecoder(network.decoder, network.post_quant_conv, config["norm_type"] == "spatial")
    else:
        encoder, decoder = PointEncoder(network.encoder), MapDecoder(network.decoder)
    _plain_upsampling(decoder)
    return VAE(
        encoder,
        decoder,
        latents,
        input_shape,
        layout="heads" if kind == "AutoencoderKL" else "point",
        activation="none",
        likelihood="gaussian",
        input_range=(-1.0, 1.0),
        latent_layer=layer,
    )


def _plain_upsampling(decoder: nn.Module) -> None:
    for module in list(decoder.modules()):
        for name, child in list(module.named_children()):
            if type(child).__name__ != "Upsample2D" or not isinstance(getattr(child, "conv", None), nn.Conv2d):
                continue
            layer: Any = child
            if layer.norm is None and not layer.use_conv_transpose and layer.interpolate:
                module.register_module(name, Upsampling(layer.conv))
