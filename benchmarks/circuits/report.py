"""Rates of verdicts with exact intervals, in Markdown and as a drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from scipy.stats import binomtest

from benchmarks.circuits.claims import MISSING, NEIGHBOUR, TOO_MANY, TRUE
from benchmarks.circuits.families import CLAIMS, REFUTED, SUPPORTED
from benchmarks.circuits.idle import IDLE, PLAIN
from benchmarks.circuits.store import Row
from benchmarks.plots import Rate, draw_rates
from causalvae.circuits.types import STATUSES
from causalvae.files import write_file


def write_report(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write ``circuits.md`` and ``circuits.svg``; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {name: [row for row in rows if row.part == name] for name in ("claims", "families", "idle", "discovery")}
    text = ["# Verdicts on networks whose circuits are known", ""]
    told: list[tuple[Callable[[Sequence[Row]], list[str]], str]] = [
        (_claims, "claims"),
        (_families, "families"),
        (_idle, "idle"),
        (_discovery, "discovery"),
    ]
    for tell, name in told:
        text += tell(parts[name]) if parts[name] else []
    files = {folder / "circuits.md": "\n".join(text)}
    if parts["claims"]:
        files[folder / "circuits.svg"] = draw_rates(_rates(parts["claims"]))
    for path, content in files.items():
        write_file(path, content)
    return list(files)


def rate_words(hits: int, of: int) -> str:
    """A rate with the interval of Clopper and Pearson."""
    interval = binomtest(hits, of).proportion_ci(0.95, "exact")
    return f"{hits} of {of}: {100 * hits / of:.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _claims(rows: Sequence[Row]) -> list[str]:
    text = [
        "## True circuits and near misses",
        "",
        "Each is claimed to carry at least 70 % of the effect, as no other circuit of its size does, and to be minimal "
        "(both members of the network `or`: to be necessary as well), from "
        f"{_numbers(row.pairs for row in rows)} pairs.",
        "",
        "| claim | supported [95 % interval] | " + " | ".join(STATUSES[1:]) + " |",
        "|---|---|" + "---:|" * len(STATUSES[1:]),
    ]
    for claimed in (TRUE, MISSING, TOO_MANY, NEIGHBOUR):
        of = [row for row in rows if row.claim == claimed]
        text += [_line(claimed, of)] if of else []
    text += ["", "| network | circuit | claim | supported [95 % interval] | " + " | ".join(STATUSES[1:]) + " |"]
    text += ["|---|---|---|---|" + "---:|" * len(STATUSES[1:])]
    for key in dict.fromkeys(map(_asked, rows)):
        network, variant, units, claimed = key
        named = f"{network}, {variant}" if variant else network
        text.append(_line(f"{named} | {' '.join(units)} | {claimed}", [row for row in rows if _asked(row) == key]))
    return [*text, ""]


def _asked(row: Row) -> tuple[str, str, tuple[str, ...], str]:
    return row.network, row.variant, row.units, row.claim


def _line(label: str, rows: Sequence[Row]) -> str:
    counts = [sum(row.found == status for row in rows) for status in STATUSES]
    return f"| {label} | {rate_words(counts[0], len(rows))} | " + " | ".join(map(str, counts[1:])) + " |"


def _families(rows: Sequence[Row]) -> list[str]:
    text = [
        "## Family-wise error",
        "",
        f"{CLAIMS} claims of one spec, each exactly on its bound, with {_numbers(row.pairs for row in rows)} pairs "
        "each; the level is 0.05.",
        "",
        "| error | runs [95 % interval] |",
        "|---|---|",
    ]
    for error in (SUPPORTED, REFUTED):
        of = [row for row in rows if row.claim == error]
        text.append(f"| {error} | {rate_words(sum(row.found == 'yes' for row in of), len(of))} |")
    return [*text, ""]


def _idle(rows: Sequence[Row]) -> list[str]:
    text = [
        "## Latents that nothing reads",
        "",
        "How many verdicts, on true circuits and near misses, differ from those on the same network without such "
        "latents.",
        "",
        "| latents | verdicts that differ |",
        "|---|---|",
    ]
    plain = {_place(row): row.found for row in rows if row.variant == PLAIN}
    for label in IDLE:
        of = [row for row in rows if row.variant == label and _place(row) in plain]
        if of and label != PLAIN:
            text.append(f"| {label} | {sum(row.found != plain[_place(row)] for row in of)} of {len(of)} |")
    return [*text, ""]


def _place(row: Row) -> tuple[str, str, int, int]:
    return row.network, row.claim, row.seed, row.pairs


def _discovery(rows: Sequence[Row]) -> list[str]:
    methods = list(dict.fromkeys(row.claim for row in rows))
    text = [
        "## Circuits found",
        "",
        "Candidates are all latents, 4 dead and 2 loud unread ones among them. AUROC: how well a score ranks members "
        "of the true circuits before the others, averaged over draws. Exact: the search by this score alone ends with "
        f"one of the smallest circuits, from {_numbers(row.pairs for row in rows)} pairs.",
        "",
        "| score | AUROC, mean and least | exact [95 % interval] |",
        "|---|---|---|",
    ]
    for method in methods:
        of = [row for row in rows if row.claim == method]
        text.append(f"| {method} | {', '.join(_auroc(of))} | {rate_words(_exact(of), len(of))} |")
    text += [
        "",
        "Mean AUROC and exact circuits, by network:",
        "",
        "| network | " + " | ".join(methods) + " |",
        "|---|" + "---:|" * len(methods),
    ]
    for network in dict.fromkeys(row.network for row in rows):
        cells = []
        for method in methods:
            of = [row for row in rows if (row.network, row.claim) == (network, method)]
            ranked = f"{_auroc(of)[0]}, " if of[0].value is not None else ""
            cells.append(f"{ranked}{_exact(of)} of {len(of)}")
        text.append(f"| {network} | " + " | ".join(cells) + " |")
    return [*text, ""]


def _exact(rows: Sequence[Row]) -> int:
    return sum(row.found == "exact" for row in rows)


def _auroc(rows: Sequence[Row]) -> tuple[str, ...]:
    """Mean and least."""
    values = [row.value for row in rows if row.value is not None]
    return (f"{sum(values) / len(values):.3f}", f"{min(values):.3f}") if values else ("-",)


def _rates(rows: Sequence[Row]) -> list[Rate]:
    found = []
    for network in dict.fromkeys(row.network for row in rows):
        for label, true in (("true circuit", True), ("near misses", False)):
            of = [row for row in rows if row.network == network and (row.claim == TRUE) == true]
            hits = sum(row.found == "supported" for row in of)
            interval = binomtest(hits, len(of)).proportion_ci(0.95, "exact")
            found.append(Rate(network, label, hits / len(of), interval.low, interval.high))
    return found


def _numbers(values: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(values))))
