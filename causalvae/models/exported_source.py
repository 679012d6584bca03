"""Opens an encoder and a decoder that `torch.export.save` wrote.

Opening such a file can run code: its symbolic sizes are expressions that are evaluated, and its constants and example
inputs may be pickles (torch 2.13, `torch/_export/serde/serialize.py`). So it requires ``--allow-code``.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from causalvae.boundary import boundary
from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.models.opened import Opened
from causalvae.models.vae import VAE
from causalvae.models.weights import Weights
from causalvae.spec.places import locate
from causalvae.trust import refuse_code

if TYPE_CHECKING:
    from causalvae.models.kinds.exported import ExportedModel

_HOW = (
    'torch.export.save(torch.export.export(module.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))'
    ', "FILE.pt2")'
)


def open_exported(section: ExportedModel, folder: Path, input_shape: tuple[int, ...]) -> Opened:
    """Open the programs of a ``source: exported`` section; modules have the names of the exported module.

    Parameters
    ----------
    section : ExportedModel
    folder : Path
        The spec file's folder.
    input_shape : tuple of int
        Of the data, without the batch axis.

    Raises
    ------
    CausalVAEError
        CV117 if code is not allowed, CV133 for files that are damaged, take several inputs or have a fixed batch size.
    """
    refuse_code(f"{section.encoder} and {section.decoder}: opening exported programs can run code", "model.source")
    encoder, decoder = (_open(path, folder, f"model.{key}") for key, path in section.places.items())
    layout, second = section.posterior.reading
    vae = VAE(
        encoder,
        decoder,
        section.latent_dim,
        input_shape,
        layout=layout,
        second=second,
        activation=section.output.activates(),
        likelihood=section.output.likelihood,
        input_range=section.input_range,
    )
    # Two files may hold equal weights and different operations, so the operations are hashed as text.
    code = [str(getattr(module, "code", "")) for part in (encoder, decoder) for module in part.modules()]
    state = {name: value.detach().cpu() for name, value in vae.state_dict().items()}
    return Opened(vae, digest([Weights(state, {}, "").digest, code]), {"format": "torch.export programs"})


def _open(where: str, folder: Path, place: str) -> nn.Module:
    path = locate(folder, where)
    if not path.is_file():
        raise CausalVAEError(
            "CV133",
            f"there is no file {where} (looked in {path.parent}).",
            f"Paths are relative to the spec file; {_HOW} writes one.",
            place,
        )
    unreadable = f"{where} is not a program of torch.export that torch {torch.__version__} can open"
    with boundary("CV133", unreadable, f"Export it again: {_HOW}.", place), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        program: Any = torch.export.load(path)
        # The flat program is one function; the unflattened one has the original modules.
        module: nn.Module = torch.export.unflatten(program)
    inputs = set(program.graph_signature.user_inputs)
    nodes = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in inputs]
    if len(nodes) != 1:
        raise CausalVAEError(
            "CV133",
            f"{where} takes {len(nodes)} inputs.",
            "Export the encoder from inputs alone and the decoder from latents alone, each as a separate program.",
            place,
        )
    rows = nodes[0].meta["val"].shape[0]
    if isinstance(rows, int):
        raise CausalVAEError(
            "CV133",
            f"{where} was exported for batches of exactly {rows}.",
            f"Export it with a batch axis of any length: {_HOW}.",
            place,
        )
    return module
