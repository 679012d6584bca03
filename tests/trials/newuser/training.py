"""Makes the data and trains the networks of the trial in the folder that it is run in: `training.py SHARE`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from conv_vae import VAE, loss_function
from cvae import CVAE
from data import make_cells, make_digits, make_photographs, make_tones
from scvi_like import SCVI
from torch import nn
from torch.nn import functional as F
from vqvae import Model

import causalvae

share = float(sys.argv[1])
samples, steps = max(200, int(1500 * share)), max(500, int(1500 * share))
here = Path()
for make in (make_digits, make_tones, make_cells, make_photographs):
    make(here, samples)

torch.manual_seed(0)
torch.set_num_threads(1)
digits, tones = np.load("digits.npz"), np.load("tones.npz")
images, classes = torch.from_numpy(digits["images"]), F.one_hot(torch.from_numpy(digits["digit"]), 10).float()
waves = torch.from_numpy(tones["waves"])
table = pd.read_csv("cells.csv", index_col=0)
counts = torch.tensor(table.filter(like="gene_").to_numpy(), dtype=torch.float32)
batches = F.one_hot(torch.tensor((table["batch"] == "b2").to_numpy().astype(int)), 2).float()


def conv(network, rows):
    output, mean, logvar = network(images[rows])
    return loss_function(output, images[rows], mean, logvar)


def conditional(network, rows):
    output, mean, logvar = network(images[rows], classes[rows])
    return loss_function(output, images[rows].flatten(1), mean, logvar)


def quantised(network, rows):
    loss, output, _ = network(waves[rows])
    return F.mse_loss(output, waves[rows]) / 0.05 + loss


def cells(network, rows):
    return network.loss(counts[rows], batches[rows])


def train(network: nn.Module, loss, count: int, name: str) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(network, torch.randint(count, (64,))).backward()
        optimiser.step()
    torch.save(network.state_dict(), name)


train(VAE(), conv, len(images), "conv.pt")
train(CVAE(), conditional, len(images), "cvae.pt")
train(Model(), quantised, len(waves), "vq.pt")
train(SCVI(), cells, len(counts), "scvi.pt")
spec = Path("train.yaml")
spec.write_text(
    "spec: causalvae/train-v1\nname: photos\nmodel: {architecture: mlp, latent_dim: 4}\n"
    "data: {source: images, path: photos, size: 32}\nobjective: {name: vae}\noptimiser: {lr: 0.002}\n"
    f"batch_size: 64\nsteps: {max(60, steps // 8)}\n"
)
causalvae.train(spec)
(found,) = Path("runs").rglob("photos.safetensors")
shutil.copy(found, "photos.safetensors")
