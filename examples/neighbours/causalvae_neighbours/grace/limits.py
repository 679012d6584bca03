"""What the data and the objective of simulated perturbation screens share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# What programmes are taken to range over: they have a standard deviation of about 1, guides shift them by about 2.
PROGRAMME_RANGE = (-6.0, 6.0)

Small = Annotated[int, Field(strict=True, ge=1, le=50)]
Several = Annotated[int, Field(strict=True, ge=0, le=200)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
