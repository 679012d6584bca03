"""Writing and reading the responses table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from causalvae.plan.owner import Owner

SPREAD = "output entropy"
OVERLAP = "overlap"
COLUMNS = ("owner", "quantity", "site", "first", "second", "pair", "value")


def make_frame(
    owner: Owner,
    quantity: str,
    site: str,
    labels: Sequence[tuple[str, str]],
    values: npt.NDArray[np.float64],
    start: int = 0,
) -> pd.DataFrame:
    """Table with one row per label (first, second) and pair, counted from `start`.

    `values`, (labels, pairs, n), are averaged over n.
    """
    known = np.isfinite(values)
    mean = np.full(values.shape[:2], np.nan)
    np.divide(np.where(known, values, 0.0).sum(axis=2), known.sum(axis=2), out=mean, where=known.any(axis=2))
    pairs = values.shape[1]
    return pd.DataFrame(
        {
            "owner": str(owner),
            "quantity": quantity,
            "site": site,
            "first": np.repeat(np.array([a for a, _ in labels], dtype=object), pairs),
            "second": np.repeat(np.array([b for _, b in labels], dtype=object), pairs),
            "pair": np.tile(np.arange(start, start + pairs), len(labels)),
            "value": mean.ravel(),
        }
    )


def join_frames(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of the shards of a cohort, in their order, as one table: the pairs of a label one after the other."""
    if not frames:
        return pd.DataFrame({name: [] for name in COLUMNS})
    table = pd.concat(frames, ignore_index=True)
    label = table.groupby(["owner", "quantity", "site", "first", "second"], sort=False).ngroup().to_numpy()
    return table.iloc[np.argsort(label, kind="stable")].reset_index(drop=True)


def read_blocks(
    responses: pd.DataFrame, owner: Owner, quantity: str
) -> Iterator[tuple[str, list[tuple[str, str]], npt.NDArray[np.float64]]]:
    """For each site its name, the labels and the values, (labels, pairs)."""
    if responses.empty:
        return
    mine = responses[(responses["owner"] == str(owner)) & (responses["quantity"] == quantity)]
    for site, part in mine.groupby("site", sort=False):
        pairs = int(part["pair"].max()) + 1
        heads = part.iloc[::pairs]
        labels = list(zip(heads["first"].astype(str), heads["second"].astype(str), strict=True))
        yield str(site), labels, part["value"].to_numpy(np.float64).reshape(-1, pairs)
