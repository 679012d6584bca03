"""How often each fault is found under its name, in Markdown and as a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scipy.stats import binomtest

from benchmarks.alignment.judging import ELSEWHERE, EXACT, GRAPHS, MISSED, NETWORKS, OTHER_NAME
from benchmarks.circuits.store import Row
from benchmarks.plots import Rate, draw_rates
from causalvae.files import write_file


def write_report(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write ``alignment.md`` and ``alignment.svg``; gives their paths."""
    graphs = [row for row in rows if row.part == GRAPHS]
    networks = [row for row in rows if row.part == NETWORKS]
    seeds = len({row.seed for row in rows})
    text = ["# The alignment report where everything is known", ""]
    text += [f"{seeds} draws of the data, 512 pairs for each factor, level 0.05, as specs have it by default.", ""]
    text += _table("Corrupted graphs", "Every graph that differs from the true one by one edge.", graphs, "claim")
    text += _table("Worlds", "The same by world.", graphs, "network")
    text += _table("Networks", "Each with the true graph, in every world.", networks, "variant")
    rates = [*_rates(graphs, "claim", "graphs"), *_rates(networks, "variant", "networks")]
    files = {folder / "alignment.md": "\n".join(text), folder / "alignment.svg": draw_rates(rates)}
    for path, content in files.items():
        write_file(path, content)
    return list(files)


def _table(title: str, words: str, rows: Sequence[Row], key: str) -> list[str]:
    if not rows:
        return []
    heads = ("found, with the right name [95 % interval]", OTHER_NAME, MISSED, ELSEWHERE)
    text = [
        f"## {title}",
        "",
        words,
        "",
        f"| {key_title(key)} | n | " + " | ".join(heads) + " |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for name in dict.fromkeys(getattr(row, key) for row in rows):
        of = [row for row in rows if getattr(row, key) == name]
        counts = [sum(row.found == found for row in of) for found in (OTHER_NAME, MISSED, ELSEWHERE)]
        rate, lower, upper = _rate(of)
        words = f"{100 * rate:.1f} % [{100 * lower:.1f}, {100 * upper:.1f}]"
        text.append(f"| {name} | {len(of)} | {words} | " + " | ".join(map(str, counts)) + " |")
    return [*text, ""]


def key_title(key: str) -> str:
    """What a column of the table holds."""
    return {"claim": "change of the graph", "network": "world", "variant": "network"}[key]


def _rate(rows: Sequence[Row]) -> tuple[float, float, float]:
    hits = sum(row.found == EXACT for row in rows)
    interval = binomtest(hits, len(rows)).proportion_ci(0.95, "exact")
    return hits / len(rows), float(interval.low), float(interval.high)


def _rates(rows: Sequence[Row], key: str, label: str) -> list[Rate]:
    names = dict.fromkeys(getattr(row, key) for row in rows)
    return [Rate(name, label, *_rate([row for row in rows if getattr(row, key) == name])) for name in names]
