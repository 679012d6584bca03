"""Opens the network of a model section of any source."""

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
        Of the data, for networks that do not declare their input shape.
    inputs : Tensor, shape (n, *input_shape), optional
        Samples of the data, used to probe the network; `stand_in_inputs` if omitted.
    condition : int
        Number of the last channels (columns) that hold a condition.

    Raises
    ------
    CausalVAEError
        CV130 if the network does not fit the data or the section; CV1xx of each source; CV143 for unexpected errors.
    """
    inputs = stand_in_inputs(input_shape) if inputs is None else inputs
    remedy = "Check the files that the model section names: they may be damaged, or of another kind than the source."
    with boundary("CV143", "the network cannot be opened", remedy, "model"):
        opened = section.open(folder, inputs, condition)
    if not section.has_known_shapes:
        fit_latent(opened.vae, inputs)
    return opened
