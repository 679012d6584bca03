"""Initial weights for training."""

from __future__ import annotations

from math import prod

from torch import nn

# Weights are (out, in, ...), those of transposed convolutions (in, out, ...).
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
_FORWARD = (nn.Conv1d, nn.Conv2d)


def kaiming(module: nn.Module) -> None:
    """Initialise the weights of all linear and convolutional layers, and set their biases to zero, in place.

    Weights are normal with variance 2 / fan_in, so that the variance of activations is constant over layers with ReLU
    (He et al. 2015, arXiv 1502.01852, equation 10). The default of PyTorch is a variance of 1 / (3 fan_in), with which
    the initial output of a VAE of 15 layers hardly depends on the input.

    Parameters
    ----------
    module : Module
        Uses the global generator of PyTorch.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> layer = nn.Linear(200, 100)
    >>> kaiming(layer)
    >>> round(float(layer.weight.detach().var() * 200), 1), float(layer.bias.detach().abs().max())
    (2.0, 0.0)
    """
    for layer in module.modules():
        if not isinstance(layer, (nn.Linear, *_FORWARD, *_TRANSPOSED)):
            continue
        nn.init.normal_(layer.weight, std=(2.0 / _fan_in(layer)) ** 0.5)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _fan_in(layer: nn.Module) -> float:
    """Number of products in the sum of one output, averaged over outputs for a transposed convolution."""
    if isinstance(layer, nn.Linear):
        return float(layer.in_features)
    if isinstance(layer, _TRANSPOSED):
        return layer.in_channels / layer.groups * prod(layer.kernel_size) / prod(layer.stride)
    if isinstance(layer, _FORWARD):
        return layer.in_channels / layer.groups * prod(layer.kernel_size)
    raise TypeError(type(layer).__name__)
