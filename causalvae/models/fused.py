"""Runs attention by torch's modules instead of its fused inference kernels."""

from __future__ import annotations

import torch
from torch import nn

_FUSED = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)


def avoid_fused_attention(network: nn.Module) -> bool:
    """Switch torch's fused attention off for this process, if the network has modules that would use it.

    In evaluation mode `nn.TransformerEncoderLayer` calls one fused kernel in place of its modules, unless someone's
    hooks hang on them. Hooks and captures would not see the modules, and a pass with hooks would round otherwise than
    one without. The switch is torch's own (`torch.backends.mha`); it is not switched back, since the network runs in
    several threads until the process ends.

    Returns
    -------
    bool
        Whether the network has such modules.
    """
    found = any(isinstance(module, _FUSED) for module in network.modules())
    if found:
        torch.backends.mha.set_fastpath_enabled(False)
    return found
