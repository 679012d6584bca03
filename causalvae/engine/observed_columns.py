"""Names of the columns of the table of observed samples: a group, and of what in the group."""

from __future__ import annotations

from typing import Final, Literal

import pandas as pd

# What the data say of a sample, what readouts find on its output and on its input, and its latents: the mean and the
# log-variance of the posterior, the input of a latent layer, what the decoder received, and the KL of a map's channel.
Group = Literal["factor", "attribute", "input", "mean", "logvar", "exogenous", "latent", "kl"]
# An attribute on the input and on the output.
ON_BOTH: Final[tuple[Group, Group]] = ("input", "attribute")


def column_of(group: Group, name: str | int) -> str:
    """The column of a factor or an attribute, by its name, or of a latent, by its position.

    Examples
    --------
    >>> column_of("factor", "scale"), column_of("mean", 3)
    ('factor:scale', 'mean:3')
    """
    return f"{group}:{name}"


def names_in(table: pd.DataFrame, group: Group) -> tuple[str, ...]:
    """What a table has columns of, in a group: names, or positions of latents as text."""
    start = column_of(group, "")
    return tuple(column.removeprefix(start) for column in table.columns if str(column).startswith(start))
