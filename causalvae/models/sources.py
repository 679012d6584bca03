"""The sources that a spec's model section can name, but for the networks that this package ships."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from causalvae.boundary import boundary
from causalvae.models.checkpoint_source import open_checkpoint
from causalvae.models.diffusers_source import open_diffusers
from causalvae.models.exported_source import open_exported
from causalvae.models.latent_shape import fit_latent
from causalvae.models.opened import Opened
from causalvae.models.probe_inputs import stand_in_inputs
from causalvae.models.pythae_source import open_pythae
from causalvae.models.python_source import open_python_model
from causalvae.spec.schema import (
    CheckpointModel,
    DiffusersModel,
    ExportedModel,
    PythaeModel,
    PythonModel,
    SourceSection,
)


def open_source(
    section: SourceSection, folder: Path, input_shape: tuple[int, ...], inputs: Tensor | None = None, condition: int = 0
) -> Opened:
    """The network of a model section, in memory.

    Parameters
    ----------
    section : SourceSection
        Of any source but ``zoo``.
    folder : Path
        Relative paths start here: the spec file's folder.
    input_shape : tuple of int
        Of the data, for networks that do not say which inputs they take.
    inputs : Tensor, shape (n, *input_shape), optional
        Samples of the data, which the network is probed with; see `stand_in_inputs` where left out.
    condition : int
        How many of their last channels (columns) are a condition.

    Raises
    ------
    CausalVAEError
        CV130 where the network does not fit the data or is not what the section declares; CV1xx of each source; CV143
        for what none of them foresees.
    """
    inputs = stand_in_inputs(input_shape) if inputs is None else inputs
    remedy = "Check the files that the model section names: they may be damaged, or of another kind than the source."
    with boundary("CV143", "the network cannot be opened", remedy, "model"):
        opened = _open(section, folder, inputs, condition)
    fit_latent(opened.vae, inputs)
    return opened


def _open(section: SourceSection, folder: Path, inputs: Tensor, condition: int) -> Opened:
    input_shape = tuple(inputs.shape[1:])
    if isinstance(section, CheckpointModel):
        return open_checkpoint(section, folder, input_shape, inputs, condition)
    if isinstance(section, PythonModel):
        return open_python_model(section, folder, inputs, condition)
    if isinstance(section, PythaeModel):
        return open_pythae(section, folder, input_shape)
    if isinstance(section, DiffusersModel):
        return open_diffusers(section, folder, input_shape)
    if isinstance(section, ExportedModel):
        return open_exported(section, folder, input_shape)
    raise TypeError(type(section).__name__)
