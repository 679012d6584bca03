"""Draws what each active latent of trained weights does to one picture, as one PNG strip.

    python docs/traversals.py builtin://dsprites-disentangled docs/traversals/dsprites-disentangled.png
    python docs/traversals.py runs/train/mine/mine.safetensors mine.png --data-folder specs/train --sample 3

Rows are the latents with a KL above 0.1 nats, the largest first; columns are values from -2 to 2 standard deviations of
the latent's aggregate posterior around its mean. All other latents keep the posterior means of one sample, which stands
on the left. A row's label names the factors of which the latent carries at least a tenth, with the share; factors of
whose effect the network reproduces less than a tenth are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from causalvae.data.dataset import Dataset, open_dataset
from causalvae.data.pairs import draw_samples
from causalvae.models.card import NAMED_SHARE, Card, read_card
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.loading import load_model
from causalvae.models.vae import VAE
from causalvae.models.weights import read_weights, trained_as
from causalvae.spec.training import TrainSpec
from causalvae.training.carries import measure_carries

COLUMNS = 9
SAMPLES = 1024
PAIRS = 128
_SIDE = 64
_GAP = 2
_TEXT = 11
_LABEL = 210
_HEAD = 18


def traverse(vae: VAE, x: Tensor, latents: tuple[int, ...], sample: int) -> Tensor:
    """Outputs along each latent.

    Parameters
    ----------
    vae : VAE
        Its latent is a vector.
    x : Tensor, shape (n, *input_shape)
        Samples, whose posteriors together are the aggregate posterior.
    latents : tuple of int
    sample : int
        Which of them is the base.

    Returns
    -------
    Tensor, shape (n_latents, COLUMNS, *output_shape)
    """
    with torch.no_grad():
        parts = [vae.encode(part) for part in x.split(256)]
        mean = torch.cat([part.mean for part in parts])
        variance = torch.cat([part.logvar for part in parts]).exp().mean(dim=0) + mean.var(dim=0)
        rows = []
        for latent in latents:
            z = mean[sample].repeat(COLUMNS, 1)
            z[:, latent] = mean[:, latent].mean() + torch.linspace(-2.0, 2.0, COLUMNS) * variance[latent].sqrt()
            rows.append(vae.decode(vae.pass_on(z), x[sample].expand(COLUMNS, *x.shape[1:])))
    return torch.stack(rows)


def label_of(latent: int, card: Card) -> str:
    """A latent's number, its KL and what it carries, two factors a line."""
    told = [each for each in card.carries if each.shares is not None and (each.explained or 0.0) >= NAMED_SHARE]
    found = sorted(((each.shares[latent], each.factor) for each in told if each.shares), reverse=True)
    named = [f"{factor} {share:.2f}" for share, factor in found if share >= NAMED_SHARE]
    lines = [", ".join(named[start : start + 2]) for start in range(0, len(named), 2)]
    return "\n".join([f"latent[{latent}], KL {card.kl[latent]:.2f} nats", *lines])


def draw(base: Tensor, pictures: Tensor, labels: list[str]) -> Image.Image:
    """The strip: labels and the base on the left, then a row of pictures for each latent.

    Parameters
    ----------
    base : Tensor, shape (channels, height, width)
        Of one channel (grey) or three (colour), in [0, 1].
    pictures : Tensor, shape (n_rows, n_columns, channels, height, width)
    labels : list of str
        One a row.
    """
    step = _SIDE + _GAP
    left = _LABEL + step + 3 * _GAP
    strip = Image.new("RGB", (left + step * pictures.shape[1], _HEAD + step * len(pictures)), "white")
    pen = ImageDraw.Draw(strip)
    font = ImageFont.load_default(size=_TEXT)
    for column, value in enumerate(np.linspace(-2.0, 2.0, pictures.shape[1])):
        pen.text(
            (left + step * column + _SIDE / 2, _HEAD / 2),
            f"{value:+.1f} sd" if value else "mean",
            "black",
            font,
            anchor="mm",
        )
    pen.text((_LABEL + _SIDE / 2, _HEAD / 2), "input", "black", font, anchor="mm")
    for row, (label, line) in enumerate(zip(labels, pictures, strict=True)):
        top = _HEAD + step * row
        pen.multiline_text((2, top + 2), label, "black", font, spacing=3)
        strip.paste(_tile(base), (_LABEL, top))
        for column, picture in enumerate(line):
            strip.paste(_tile(picture), (left + step * column, top))
    return strip


def _tile(picture: Tensor) -> Image.Image:
    values = (picture.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).permute(1, 2, 0).numpy()
    tile = Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)
    return tile.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.NEAREST)


def card_of(weights: str, folder: Path, vae: VAE, dataset: Dataset) -> Card:
    """The card beside weights; what older weights do not record is measured."""
    card = read_card(read_weights(weights, folder).metadata, weights)
    return card if card.carries else Card(card.kl, measure_carries(vae, dataset, pairs=PAIRS, seed=0))


def strip_of(weights: str, folder: Path, data_folder: Path, sample: int = 0) -> Image.Image:
    """The strip of trained weights, whose data is opened as its training spec says."""
    found = read_weights(weights, folder)
    spec = TrainSpec.model_validate(trained_as(found))
    dataset = open_dataset(spec.data, data_folder)
    x = dataset.inputs(draw_samples(dataset, SAMPLES, seed=0))
    vae = load_model(ZooModel(source="zoo", weights=weights), folder, inputs=x).vae
    if len(vae.latent_shape) != 1 or len(vae.output_shape) != 3 or vae.output_shape[0] not in (1, 3):
        raise SystemExit(f"{weights} has no vector of latents, or its outputs are no grey or colour pictures")
    card = card_of(weights, folder, vae, dataset)
    latents = tuple(sorted(card.active, key=lambda latent: -card.kl[latent]))
    if not latents:
        raise SystemExit(f"{weights} has no active latents")
    labels = [label_of(latent, card) for latent in latents]
    return draw(vae.target(x)[sample], traverse(vae, x, latents, sample), labels)


def main() -> None:
    """Write the strip that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="builtin://NAME, or a file of `causalvae train`")
    parser.add_argument("out", type=Path, help="the PNG file")
    parser.add_argument("--data-folder", type=Path, default=Path("specs/train"), help="where paths of data start")
    parser.add_argument("--sample", type=int, default=0, help=f"which sample to start from, 0 to {SAMPLES - 1}")
    told = parser.parse_args()
    strip = strip_of(told.weights, Path.cwd(), told.data_folder, told.sample)
    told.out.parent.mkdir(parents=True, exist_ok=True)
    strip.save(told.out, optimize=True)


if __name__ == "__main__":
    main()
