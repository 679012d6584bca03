"""Outputs as the numbers that results keep of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from causalvae.spec.columns import Columns
from causalvae.spec.picture import Datum, OutputFacts


def columns_of(facts: OutputFacts) -> Columns:
    """Names and scaling of the numbers; their positions where the data name none."""
    size = int(np.prod(facts.shape))
    known = facts.columns
    if known is not None and len(known.names) >= size:
        # What is appended to inputs, such as a condition, comes last and is not put out.
        return Columns(known.names[:size], known.offset[:size], known.span[:size])
    return Columns.unscaled(tuple(f"output {place}" for place in range(size)))


def kept(values: npt.NDArray[np.float32], facts: OutputFacts, with_offset: bool = True) -> Datum:
    """The numbers that are in focus, in natural units."""
    columns, flat = columns_of(facts), values.reshape(-1)
    return Datum(
        numbers=tuple(
            float(f"{(columns.offset[place] if with_offset else 0.0) + columns.span[place] * float(flat[place]):.12g}")
            for place in facts.places
        )
    )
