"""Outputs with the sign of a latent flipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from causalvae.engine.cohorts import draw_cohort
from causalvae.engine.progress import OnProgress, Progress
from causalvae.files import read_json, write_json
from causalvae.plan.types import Cohort
from causalvae.session import Session

# Latent -> attribute -> its value on each sample's output, shape (samples,).
Flipped = dict[int, dict[str, npt.NDArray[np.float64]]]


def measure_flips(
    session: Session, cohort: Cohort, latents: Sequence[int], folder: Path, on_progress: OnProgress
) -> Flipped:
    """Flip each latent; what `folder` holds of one is not measured again.

    Parameters
    ----------
    session : Session
    cohort : Cohort
        The samples.
    latents : sequence of int
    folder : Path
        Takes a file for each latent.
    on_progress : callable
    """
    found: Flipped = {}
    for done, latent in enumerate(latents):
        on_progress(Progress("symmetry", done, len(latents), "latents"))
        file = folder / f"latent-{latent}.json"
        if not file.exists():
            write_json(_flip(session, cohort, latent), file)
        found[latent] = {name: np.array(values) for name, values in read_json(file).items() if name in session.readouts}
    return found


@torch.inference_mode()
def _flip(session: Session, cohort: Cohort, latent: int) -> dict[str, list[float]]:
    vae = session.model.vae
    inputs = session.dataset.inputs(draw_cohort(session.dataset, cohort, session.split).rows["base"])
    mean = vae.encode(inputs).mean.clone()
    mean[:, latent] *= -1
    values = session.measure(vae.decode(vae.pass_on(mean), inputs))
    return {name: values[:, place].tolist() for place, name in enumerate(session.readouts)}
