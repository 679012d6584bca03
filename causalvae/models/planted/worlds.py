"""Structural models of four columns, for networks that code all columns of a table.

Each is what ``data: {source: scm, world: table, variables: ...}`` takes. The noise is uniform, so that columns lie
within bounds that are known.
"""

from __future__ import annotations

from typing import Any, Final

World = dict[str, Any]

WORLDS: Final[dict[str, World]] = {
    "chain": {
        "a": "uniform(0, 1)",
        "b": "0.6 * a + uniform(0, 0.4)",
        "c": "0.6 * b + uniform(0, 0.4)",
        "d": "uniform(0, 1)",
    },
    "fork": {
        "a": "uniform(0, 1)",
        "b": "0.6 * a + uniform(0, 0.4)",
        "c": "0.6 * a + uniform(0, 0.4)",
        "d": "uniform(0, 1)",
    },
    "collider": {
        "a": "uniform(0, 1)",
        "b": "uniform(0, 1)",
        "c": "0.4 * a + 0.4 * b + uniform(0, 0.2)",
        "d": "uniform(0, 1)",
    },
    "diamond": {
        "a": "uniform(0, 1)",
        "b": "0.6 * a + uniform(0, 0.4)",
        "c": "0.6 * a + uniform(0, 0.4)",
        "d": "0.4 * b + 0.4 * c + uniform(0, 0.2)",
    },
    "hidden_cause": {
        "h": {"equation": "uniform(0, 1)", "hidden": True},
        "a": "0.6 * h + uniform(0, 0.4)",
        "b": "0.6 * h + uniform(0, 0.4)",
        "c": "0.6 * b + uniform(0, 0.4)",
        "d": "uniform(0, 1)",
    },
    # a acts on b where s is its last level, and nowhere else.
    "one_level": {
        "a": "uniform(0, 1)",
        "b": "0.6 * a * (s == 2) + uniform(0, 0.4)",
        "c": "uniform(0, 1)",
        "s": {"levels": [0, 1, 2]},
    },
}
