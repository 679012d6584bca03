"""Samples of the data alone, as a table: more of them than a network is run on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from causalvae.data.pairs import draw_samples
from causalvae.engine.observed_columns import column_of
from causalvae.engine.shards import shard_bounds
from causalvae.plan.types import Plan
from causalvae.session import Session

_ROWS = 256


@torch.inference_mode()
def draw_table(session: Session, plan: Plan, samples: int) -> pd.DataFrame:
    """Factors of observed samples, and every attribute that is no latent, measured on the inputs themselves.

    Parameters
    ----------
    session : Session
    plan : Plan
    samples : int
        How many are asked for; finite data may have fewer to test on. The first are those of the observed cohort.

    Returns
    -------
    DataFrame
        Columns ``factor:NAME`` and ``input:ATTRIBUTE``.
    """
    dataset = session.dataset
    rows = draw_samples(dataset, samples, session.spec.data.seed, session.split.within(dataset, "test"))
    values = dataset.values(rows)
    frame = {column_of("factor", name): values[:, position] for position, name in enumerate(dataset.space.names)}
    named = [name for name in plan.attributes if name not in plan.latent_attributes]
    if not named:
        return pd.DataFrame(frame)
    parts = [
        session.measure(session.model.vae.target(dataset.inputs(rows[first:stop])).float()).double().cpu().numpy()
        for first, stop in shard_bounds(len(rows), _ROWS)
    ]
    measured = np.concatenate(parts)
    frame |= {column_of("input", name): measured[:, plan.attributes.index(name)] for name in named}
    return pd.DataFrame(frame)
