"""A small trained network that reads a categorical factor from a decoded image.

Its input is a window of 32 x 32 pixels around the centroid of the squared pixel values, rounded to whole pixels, which
makes it translation invariant. Light outside the window is ignored; sprites extend to 13 pixels from their centre.
The probabilities are differentiable with respect to the pixels, with the position of the window held constant.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from causalvae.boundary import boundary
from causalvae.errors import CausalVAEError
from causalvae.files import write_file
from causalvae.readouts.geometry import moments_of

WEIGHTS = Path(__file__).parent / "weights"
# Block size, with the last block padded. Kernels depend on the batch size, so a fixed size makes results independent of
# the batch.
_BLOCK = 64
_WINDOW = 32


class Probe(nn.Module):
    """Three strided convolutions and two linear layers that map the window to one score per level.

    Parameters
    ----------
    target : str
        The factor that the probe reads.
    labels : tuple of str
        Levels of the factor, in the order of the scores.
    """

    def __init__(self, target: str, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.target = target
        self.labels = labels
        self.metadata: dict[str, str] = {}
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 48),
            nn.ReLU(),
            nn.Linear(48, len(labels)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Scores before the softmax, (n, n_labels), for images (n, 1, 64, 64)."""
        scores: Tensor = self.layers(_window(images))
        return scores

    def probabilities(self, images: Tensor) -> Tensor:
        """Probabilities of the levels.

        Parameters
        ----------
        images : Tensor, shape (n, 1, 64, 64)
            Pixel values in [0, 1].

        Returns
        -------
        Tensor, shape (n, n_labels)
            Float64. Differentiable with respect to the images.

        Raises
        ------
        CausalVAEError
            CV212 if the images have another shape.
        """
        if images.shape[1:] != (1, 64, 64):
            raise CausalVAEError(
                "CV212",
                f"The {self.target} probe reads images of shape (1, 64, 64), and not {tuple(images.shape[1:])}.",
                "Use readouts that need no probe for images of another shape.",
            )
        parameter = next(self.parameters())
        blocks = []
        for block in images.to(parameter.dtype).split(_BLOCK):
            missing = _BLOCK - len(block)
            padded = torch.cat([block, block.new_zeros((missing, 1, 64, 64))]) if missing else block
            blocks.append(self(padded.contiguous())[: len(block)])
        scores = torch.cat(blocks) if blocks else images.new_zeros((0, len(self.labels)))
        return torch.softmax(scores.to(torch.float64), dim=1)


def _window(images: Tensor) -> Tensor:
    """The window of each image around its centroid, (n, 1, 32, 32), padded with zeros."""
    with torch.no_grad():
        # Squares reduce the influence of faint background light.
        moments = moments_of(images * images)
        # Clamped, since the centroid of negative or NaN values may be outside the image.
        row = moments.y.nan_to_num().round().clamp(0, images.shape[2]).long()
        column = moments.x.nan_to_num().round().clamp(0, images.shape[3]).long()
    along = torch.arange(_WINDOW, device=images.device)
    # After padding by half a window, the coordinate of the centroid is the start of the window.
    rows, columns = row[:, None] + along, column[:, None] + along
    padded = functional.pad(images, (_WINDOW // 2,) * 4)
    n = torch.arange(len(images), device=images.device)
    return padded[n[:, None, None], 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def save_probe(probe: Probe, path: Path, metadata: dict[str, str]) -> None:
    """Write `probe` as a safetensors file in float32, with target, labels and `metadata` in the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in probe.state_dict().items()}
    header = {**metadata, "kind": "probe", "target": probe.target, "labels": json.dumps(probe.labels)}
    write_file(path, save(tensors, metadata=header))


def load_probe(path: Path) -> Probe:
    """Read a probe written by `save_probe`, with frozen parameters and in evaluation mode.

    Raises
    ------
    CausalVAEError
        CV213 if `path` is not a probe.
    """
    remedy = "Train one with `python -m causalvae.training.shape_probe --out PATH`, or reinstall the package."
    if not path.is_file():
        raise CausalVAEError("CV213", f"There is no file {path.name}.", remedy, str(path))
    with boundary("CV213", f"{path.name} holds no probe", remedy, str(path)):
        # safetensors reports a file without read permission as missing.
        with path.open("rb"):
            pass
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the handle is no mapping
        probe = Probe(metadata["target"], tuple(json.loads(metadata["labels"])))
        probe.load_state_dict(tensors)
    probe.metadata = metadata
    return probe.requires_grad_(False).eval()


@cache
def shipped_probe(target: str) -> Probe:
    """The shipped probe for the factor `target`.

    Raises
    ------
    CausalVAEError
        CV214 if there is none.
    """
    path = WEIGHTS / f"dsprites-{target}.safetensors"
    if not path.is_file():
        present = sorted(file.stem.removeprefix("dsprites-") for file in WEIGHTS.glob("dsprites-*.safetensors"))
        raise CausalVAEError(
            "CV214",
            f"There is no probe for the factor {target}.",
            f"Probes are there for: {', '.join(present) or 'none'}.",
            target,
        )
    return load_probe(path)
