"""Opens the network of a model section, whatever its source."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from causalvae.boundary import boundary
from causalvae.models.latent_shape import fit_latent
from causalvae.models.opened import Opened
from causalvae.models.probe_inputs import stand_in_inputs
from causalvae.spec.model_section import ModelSection


def open_source(
    section: ModelSection, folder: Path, input_shape: tuple[int, ...], inputs: Tensor | None = None, condition: int = 0
) -> Opened:
    """The network of a model section, in memory.

    Parameters
    ----------
    section : ModelSection
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
        opened = section.open(folder, inputs, condition)
    if not section.has_known_shapes:
        fit_latent(opened.vae, inputs)
    return opened
