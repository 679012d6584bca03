"""Third-party libraries kept quiet, to one thread, and off the global random state."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

LOGGERS = ("dowhy", "pgmpy", "causallearn", "joblib")


@contextmanager
def quietly(seed: int | None = None) -> Iterator[None]:
    """Hold back warnings and log lines, and keep numerical libraries to one thread; all only inside.

    Parameters
    ----------
    seed : int, optional
        Of any size. NumPy's global generator and Python's own begin from it, for code that takes no generator. Both are
        what they were before, afterwards; also where `seed` is omitted, since some refuters draw from them unasked.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    if seed is not None:
        np.random.set_state(random_state(seed).get_state())  # noqa: NPY002
        random.seed(seed)
    try:
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def random_state(seed: int) -> np.random.RandomState:
    """A legacy generator from a seed of any size; given an integer it takes no more than 32 bits."""
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
