"""A small trained network that reads a categorical factor from a decoded image.

It looks at a window of 32 x 32 pixels around the centroid of the squared pixel values, moved by whole pixels, so it
need not learn that a shape keeps its kind where it moves. Light outside the window is not seen; a sprite reaches 13
pixels from its centre.
The probabilities are differentiable in the pixels; the window's place is held fixed under the gradient.
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
# Images are run in blocks of exactly this many, the last one padded: kernels are chosen by the shape of a batch, and a
# fixed shape gives an image the same result in any company.
_BLOCK = 64
_WINDOW = 32


class Probe(nn.Module):
    """Three strided convolutions and two linear layers: window around the centroid -> one score a level.

    Parameters
    ----------
    target : str
        The factor that the probe reads.
    labels : tuple of str
        The factor's levels, in the order of the scores.
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
        """Scores before the softmax, (n, n_labels), for images of shape (n, 1, 64, 64)."""
        scores: Tensor = self.layers(_window(images))
        return scores

    def probabilities(self, images: Tensor) -> Tensor:
        """Probability of each level.

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
            CV212 where the images have another shape.
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
    """The part of each image around its centroid, (n, 1, 32, 32), with zeros beyond the border."""
    with torch.no_grad():
        # Squares: a faint haze over the whole image pulls less at the centre.
        moments = moments_of(images * images)
        # Values that are no light (negative, or not a number) may put the centroid nowhere; the window stays inside.
        row = moments.y.nan_to_num().round().clamp(0, images.shape[2]).long()
        column = moments.x.nan_to_num().round().clamp(0, images.shape[3]).long()
    along = torch.arange(_WINDOW, device=images.device)
    # Padding by half a window makes the centroid's own coordinate the window's start.
    rows, columns = row[:, None] + along, column[:, None] + along
    padded = functional.pad(images, (_WINDOW // 2,) * 4)
    n = torch.arange(len(images), device=images.device)
    return padded[n[:, None, None], 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def save_probe(probe: Probe, path: Path, metadata: dict[str, str]) -> None:
    """Write `probe` as a safetensors file in float32, with its target, its labels and `metadata` in the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in probe.state_dict().items()}
    header = {**metadata, "kind": "probe", "target": probe.target, "labels": json.dumps(probe.labels)}
    write_file(path, save(tensors, metadata=header))


def load_probe(path: Path) -> Probe:
    """Read what `save_probe` wrote; the parameters are frozen and the module is in evaluation mode.

    Raises
    ------
    CausalVAEError
        CV213 where `path` holds no probe.
    """
    remedy = "Train one with `python -m causalvae.training.shape_probe --out PATH`, or reinstall the package."
    if not path.is_file():
        raise CausalVAEError("CV213", f"There is no file {path.name}.", remedy, str(path))
    with boundary("CV213", f"{path.name} holds no probe", remedy, str(path)):
        # safetensors says of a file without permission that there is none.
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
    """The probe that the package ships for the factor `target`.

    Raises
    ------
    CausalVAEError
        CV214 where it ships none.
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
