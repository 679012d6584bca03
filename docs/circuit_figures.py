"""Draws what a spec's `discoveries` found, and what a run says of single units and of modules, as SVG files.

    python docs/circuit_figures.py specs/dsprites_discover.yaml docs/circuits
    python docs/circuit_figures.py specs/pretrained/dsprites_discover.yaml docs/circuits --prefix btcvae-
    python docs/circuit_figures.py --run runs/dsprites-scale/DIGEST docs/circuits

Of each circuit: NAME-circuit.svg, it on the network's layers; NAME-curve.svg, what the best candidates carry;
NAME-motifs.svg, the number that shows each motif. Of a run: units.svg, how many units are polysemantic or monosemantic;
modularity.svg. Searches that were made before are read from the folder `runs`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from markupsafe import Markup

from causalvae.analyses.discoveries.drawing import draw_circuit, draw_curve
from causalvae.analyses.discoveries.findings import Discovered, Discovery
from causalvae.analyses.discoveries.words import label
from causalvae.api import open_session, run_analysis
from causalvae.effects.types import UnitRole
from causalvae.report import load_results
from causalvae.report.forest import ForestRow, draw_forest
from causalvae.report.svg import drawing, element
from causalvae.results import Results
from causalvae.spec import open_spec

STYLE = (
    "svg{background:#fff;font-family:Helvetica,Arial,sans-serif}.tick{font-size:10px;fill:#5b6775}"
    ".row-label{font-size:12px;fill:#1d2733}.axis{stroke:#8a94a0;stroke-width:1}"
    ".bound-edge{stroke:#2e7d32;stroke-width:1.5;stroke-dasharray:3 2}.bound-region{fill:#2e7d32;opacity:.12}"
    ".interval{stroke:#1d2733;stroke-width:1}.point{fill:#1d2733}.observed{stroke:#2b6cb0}"
    ".unit{fill:none;stroke:#8a94a0;stroke-width:.8}.is-member{fill:#2b6cb0;stroke:#2b6cb0}"
    ".sent{stroke:#2e7d32;opacity:.65}.sent.is-negative{stroke:#c62828;stroke-dasharray:5 3}"
)
ROLES = (
    ("polysemantic", "#f6ad55"),
    ("monosemantic", "#90cdf4"),
    ("undecided", "#a0aec0"),
    ("undeclared", "#d9c68a"),
    ("inert", "#e2e8f0"),
)
MOST_MOTIFS = 24


def write(picture: Markup | None, path: Path) -> None:
    """Write a drawing with its styles; nothing where there is none."""
    if picture is None:
        return
    text = str(picture)
    head = text.index(">") + 1
    path.write_text(f"{text[:head]}<style>{STYLE}</style>{text[head:]}\n", encoding="utf-8")


def draw_motifs(found: Discovery) -> Markup | None:
    """The number that shows each motif, with its interval."""
    rows = []
    for motif in found.motifs.found[:MOST_MOTIFS]:
        names = [label(found, member) for member in motif.members]
        count = len(names) - 1
        match motif.kind:
            case "broadcast":
                words = f"{names[0]} to {count}"
            case "convergence":
                words = f"{count} to {names[-1]}"
            case _:
                words = f"{motif.kind} {names[0]}"
        rows.append(ForestRow(words, motif.shown.value, motif.shown.lower, motif.shown.upper))
    return draw_forest(rows)


def draw_units(units: tuple[UnitRole, ...]) -> Markup:
    """How many units of each sweep have each role, as one bar a sweep."""
    sweeps = list(dict.fromkeys(unit.owner.name for unit in units))
    width, left, right, row = 620.0, 130.0, 600.0, 34.0
    parts: list[Markup] = []
    for place, sweep in enumerate(sweeps):
        counts = Counter(unit.role for unit in units if unit.owner.name == sweep)
        total, at, y = sum(counts.values()), left, 8 + place * row
        parts.append(element("text", f"{total} of {sweep}", x=left - 8, y=y + 15, text_anchor="end", class_="tick"))
        for role, colour in ROLES:
            across = (right - left) * counts[role] / total
            if across:
                title = element("title", f"{counts[role]} {role}")
                parts.append(element("g", title, element("rect", x=at, y=y, width=across, height=22.0, fill=colour)))
                if across > 16:
                    x = at + across / 2
                    parts.append(element("text", str(counts[role]), x=x, y=y + 15, text_anchor="middle", class_="tick"))
            at += across
    y = 16 + len(sweeps) * row
    for place, (role, colour) in enumerate(ROLES):
        x = left + place * 96.0
        parts.append(element("rect", x=x, y=y, width=10.0, height=10.0, fill=colour))
        parts.append(element("text", role, x=x + 14, y=y + 9, class_="tick"))
    return drawing(width, y + 18, "Roles of units", *parts, class_="chart")


def draw_modularity(results: Results) -> Markup | None:
    """Q of the latents' effects, with the data's own factors, and the modularity of activations at each layer."""
    rows = []
    for metric in results.metrics:
        if "modularity" not in metric.metric:
            continue
        name = f"{metric.metric.replace('_', ' ')} {metric.at}".strip()
        rows.append(ForestRow(name, metric.value, metric.lower, metric.upper))
        rows += [
            ForestRow(f"  {words}", value, None, None)
            for words, value in (("the data's own factors", metric.oracle), ("random weights", metric.random))
            if value is not None
        ]
    return draw_forest(rows, anchors=(0.0, 1.0))


def main() -> None:
    """Draw what the arguments name."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("spec", nargs="?", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", type=Path, help="a run's folder, with units and modularity")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where searches are kept")
    parser.add_argument("--prefix", default="")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.run is not None:
        results = load_results(arguments.run)
        write(draw_units(results.units), arguments.out / f"{arguments.prefix}units.svg")
        write(draw_modularity(results), arguments.out / f"{arguments.prefix}modularity.svg")
    if arguments.spec is None:
        return
    spec, folder = open_spec(arguments.spec)
    found = run_analysis(open_session(spec, folder), "discoveries", arguments.runs)
    if not isinstance(found, Discovered):
        raise TypeError("the spec has no discoveries")
    for circuit in found.circuits:
        start = arguments.out / f"{arguments.prefix}{circuit.name}"
        for name, picture in (
            ("circuit", draw_circuit(circuit)), ("curve", draw_curve(circuit)), ("motifs", draw_motifs(circuit)),
        ):  # fmt: skip
            write(picture, start.with_name(f"{start.name}-{name}.svg"))


if __name__ == "__main__":
    main()
