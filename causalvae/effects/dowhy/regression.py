"""DoWhy's linear regression without the summary that it makes of each fit. Imports dowhy; import it late."""

from __future__ import annotations

from typing import Any

import pandas as pd
from dowhy.causal_estimators.linear_regression_estimator import LinearRegressionEstimator


class Regression(LinearRegressionEstimator):  # type: ignore[misc]
    """DoWhy's linear regression, for many fits: it makes no summary, which DoWhy would make of each for a log line."""

    def _build_model(self, data: pd.DataFrame) -> tuple[Any, Any]:
        features, model = super()._build_model(data)
        model.summary = _no_summary
        return features, model


def _no_summary() -> str:
    return ""
