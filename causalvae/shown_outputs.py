"""How the outputs of a run are kept for its report: as the data say, or as their shape says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from causalvae.session import Session
from causalvae.spec.columns import Columns
from causalvae.spec.picture import MOST_NUMBERS, OutputFacts, picture_name, picture_of

FloatArray = npt.NDArray[np.float32]

# Bytes of base64 that all pictures of pairs, and all of traversals, may take in a report.
PAIR_BYTES, TRAVERSAL_BYTES = 450_000, 150_000


def output_facts(session: Session) -> OutputFacts:
    """What drawing the outputs of a session's network needs."""
    graph, data = session.model.graph, session.spec.data
    shape, known, columns = tuple(graph.shape(graph.outputs["output"])), data.input_facts(), session.dataset.columns
    if columns is None and known is not None and known.columns:
        columns = Columns.unscaled(known.columns)
    return OutputFacts(data.picture or picture_name(shape), shape, columns, None if known is None else known.rate)


def focused(facts: OutputFacts, changes: Iterable[FloatArray]) -> OutputFacts:
    """The same facts with the numbers in focus that change most, where there are too many to keep them all."""
    size = int(np.prod(facts.shape))
    if not picture_of(facts).keeps_numbers or size <= MOST_NUMBERS:
        return facts
    moved = sum((np.abs(np.nan_to_num(change)).reshape(-1, size).mean(axis=0) for change in changes), np.zeros(size))
    return replace(facts, focus=tuple(sorted(np.argsort(-moved, kind="stable")[:MOST_NUMBERS].tolist())))
