"""How the symmetry of latents is shown."""

from __future__ import annotations

from causalvae.report.analysis_view import AnalysisView
from causalvae.report.blocks import Section
from causalvae.report.glossary import Term
from causalvae.report.numbers import format_interval, format_number
from causalvae.report.tables import Table, columns
from causalvae_flashes.symmetry.estimate import Symmetry

_FEW = 20
_TERM = Term(
    "Change by a flip",
    "change",
    "mean of |Y(−z) − Y(z)| / sd(Y)",  # noqa: RUF001
    "How far the output moves when the sign of one latent is flipped; 0 where the output is symmetric in it.",
)


def view_symmetry(result: Symmetry) -> AnalysisView:
    """A table of all flips; the largest change is part of the answer."""
    table = Table(
        "Flipped latents",
        columns("Latent#", "Attribute", "Mean before#", "Mean after#", "Change (sd) [interval]#"),
        tuple(
            (
                str(flip.latent),
                flip.attribute,
                format_number(flip.before),
                format_number(flip.after),
                format_interval(flip.change, flip.lower, flip.upper),
            )
            for flip in result.flips
        ),
    )
    lead = f"The sign of one latent is flipped in {result.samples} samples, and the output is decoded."
    largest = max(result.flips, key=lambda flip: flip.change, default=None)
    answer = "" if largest is None else (
        f"Flipping latent {largest.latent} moves {largest.attribute} by {format_number(largest.change)} sd."
    )  # fmt: skip
    few = (f"Symmetry is measured on {result.samples} samples only.",) if result.samples < _FEW else ()
    return AnalysisView((Section("symmetry", "Symmetry", lead, (table,)),), answer, (table,), few, (_TERM,))
