"""Writes the tables of ../neighbours.md between their marks, from the JSON files that the measuring scripts keep.

python docs/neighbours/write_tables.py
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from causalvae_neighbours.half_avae.study import paired_difference

HERE = Path(__file__).parent
PAGE = HERE.parent / "neighbours.md"


def half_avae() -> str:
    """Source recovery with and without the adversary."""
    trials = json.loads((HERE / "half_avae.json").read_text(encoding="utf-8"))
    without, with_adversary = (
        np.array([np.mean(trial[key]["correlations"]) for trial in trials]) for key in ("without", "with_adversary")
    )
    errors = [np.array([trial[key]["rmse"] for trial in trials]) for key in ("without", "with_adversary")]
    rows = [
        "| seed | mean correlation without | with the adversary | difference | RMSE without | with |",
        "|---|---|---|---|---|---|",
        *(
            f"| {trial['seed']} | {a:.3f} | {b:.3f} | {b - a:+.3f} | {e:.3f} | {f:.3f} |"
            for trial, a, b, e, f in zip(trials, without, with_adversary, *errors, strict=True)
        ),
        f"| mean | {without.mean():.3f} | {with_adversary.mean():.3f} | {(with_adversary - without).mean():+.3f} "
        f"| {errors[0].mean():.3f} | {errors[1].mean():.3f} |",
    ]
    gain, fall = paired_difference(with_adversary - without), paired_difference(errors[1] - errors[0])
    seconds = [np.mean([trial[key] for trial in trials]) for key in ("seconds_without", "seconds_with")]
    return "\n".join(
        [
            *rows,
            "",
            f"Paired difference of the mean correlation: {gain.mean:+.4f}, 95% interval [{gain.low:+.4f}, "
            f"{gain.high:+.4f}] (Student), better on {gain.better} of {gain.n} seeds, exact sign-flip test "
            f"p = {gain.p_value:.4g}. Of the RMSE: {fall.mean:+.4f} [{fall.low:+.4f}, {fall.high:+.4f}], "
            f"p = {fall.p_value:.4g}. Processor time a run: {seconds[0]:.0f} s without, {seconds[1]:.0f} s with.",
        ]
    )


def quantum() -> str:
    """What the spin VAE's latents know."""
    from scipy.stats import t

    kept = json.loads((HERE / "quantum.json").read_text(encoding="utf-8"))
    ceiling = kept["ceiling"]

    def cell(values: list[float]) -> str:
        found = np.array(values)
        reach = t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / math.sqrt(len(found))
        return f"{found.mean():.3f} ± {reach:.3f}"

    def best(row: dict[str, Any]) -> dict[str, float]:
        latent: dict[str, float] = row["each"][row["best"]]
        return latent

    measures: dict[str, tuple[Any, str]] = {
        "rank correlation of the best latent with m": (lambda row: best(row)["magnetisation"], "1"),
        "of its distance from its mean with the order": (lambda row: best(row)["order"], "1"),
        "and with the field": (lambda row: best(row)["field"], f"{ceiling['field']:.3f}"),
        "nats of the field in the best latent": (lambda row: best(row)["of_field"], f"{ceiling['of_field']:.3f}"),
        "in both": (lambda row: row["together"]["of_field"], f"{ceiling['of_field']:.3f}"),
        "nats of the order in the best latent": (lambda row: best(row)["of_order"], f"{ceiling['of_order']:.3f}"),
        "in both ": (lambda row: row["together"]["of_order"], f"{ceiling['of_order']:.3f}"),
        "KL": (lambda row: row["kl"], ""),
        "negative bound, reconstruction + KL": (lambda row: row["bound"], f"at least {ceiling['entropy']:.3f}"),
    }
    names = list(dict.fromkeys(row["condition"] for row in kept["rows"]))
    lines = [f"| | {' | '.join(names)} | what a measurement can know |", "|---" * (len(names) + 2) + "|"]
    for label, (value, most) in measures.items():
        cells = [cell([value(row) for row in kept["rows"] if row["condition"] == name]) for name in names]
        lines.append(f"| {label.strip()} | {' | '.join(cells)} | {most} |")
    seeds = sorted({row["seed"] for row in kept["rows"]})
    return "\n".join([*lines, "", f"Mean and 95% interval (Student) over seeds {seeds[0]} to {seeds[-1]}."])


def main() -> None:
    """Fill each table in whose results are there."""
    text = PAGE.read_text(encoding="utf-8")
    for name, make in (("half_avae", half_avae), ("quantum", quantum)):
        if (HERE / f"{name}.json").is_file():
            pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
            table = make()
            text, count = pattern.subn(lambda found, table=table: found[1] + table + "\n" + found[2], text)  # type: ignore[misc]
            if count != 1:
                raise SystemExit(f"{PAGE.name} has no place for {name}")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
