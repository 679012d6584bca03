"""How active latents and the dimension of the aggregate posterior are shown."""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.analyses.aggregate_posterior.estimate import FEWEST, AggregatePosterior, Dimension, LatentUse
from causalvae.report.analysis_view import AnalysisView
from causalvae.report.blocks import Section
from causalvae.report.glossary import Term
from causalvae.report.numbers import ABSENT, format_count, format_interval, format_number
from causalvae.report.tables import Table, columns

_TITLE = "Aggregate posterior"
_FEW = 200
_TERMS = (
    Term(
        "Active latent",
        "active",
        "variance over x of E[z | x], above the threshold",
        "The encoder uses the latent: its posterior mean varies with the input (Burda et al. 2016). A latent whose "
        "interval lies on both sides of the threshold is undecided.",
    ),
    Term(
        "Participation ratio",
        "linear dimension",
        "(Σ λ)² / Σ λ², λ the eigenvalues of the covariance of the posterior means",
        "Over how many directions the posterior means spread: k for k uncorrelated latents of equal variance, 1 where "
        "they lie on a line. Corrected by the jackknife.",
    ),
    Term(
        "Intrinsic dimension (TwoNN)",
        "intrinsic dimension",
        "n / Σ ln(r₂ / r₁), r₁ and r₂ the distances to the two nearest neighbours",
        "How many coordinates tell neighbouring posterior means apart, on a curved surface too. Levels of a factor are "
        "points and count little; it is too low where there are many dimensions and few samples (Facco et al. 2017).",
    ),
)


def view_posterior(result: AggregatePosterior) -> AnalysisView:
    """A table of latents, one of dimensions, and a sentence of the answer."""
    use, dimensions = _use_table(result), _dimension_table(result)
    what = "channels of the latent map, by their means over positions" if result.is_map else "latents"
    counted = _counted(result.latents, what)
    lead = (
        f"From the posterior means of {format_count(result.samples)} observed samples. {counted}. A latent is active "
        f"if the variance of its mean is above {format_number(result.threshold)}."
    )
    answer = _counted(result.latents, "latents")
    if result.linear.value is not None:
        answer += f"; they spread over {format_number(result.linear.value)} dimensions"
    return AnalysisView(
        (Section("aggregate-posterior", _TITLE, lead, (use, dimensions)),),
        f"{answer}.",
        (use, dimensions),
        tuple(_warnings(result)),
        _TERMS,
    )


def _counted(latents: Sequence[LatentUse], what: str) -> str:
    active, undecided = (sum(latent.state == state for latent in latents) for state in ("active", "undecided"))
    more = f" ({format_count(undecided)} undecided)" if undecided else ""
    return f"The encoder uses {format_count(active)} of {format_count(len(latents))} {what}{more}"


def _use_table(result: AggregatePosterior) -> Table:
    return Table(
        "Latents over the data",
        columns("Latent", "Variance of the mean [interval]#", "Mean variance of the posterior#", "State"),
        tuple(
            (
                f"latent[{latent.latent}]",
                format_interval(latent.variance, latent.lower, latent.upper),
                ABSENT if latent.spread is None else format_number(latent.spread),
                latent.state,
            )
            for latent in result.latents
        ),
    )


def _dimension_table(result: AggregatePosterior) -> Table:
    rows = (("Participation ratio", result.linear), ("Intrinsic dimension (TwoNN)", result.intrinsic))
    return Table(
        "Dimensions that the posterior means fill",
        columns("Dimension", "Estimate [interval]#"),
        tuple((name, _shown(found)) for name, found in rows),
    )


def _shown(found: Dimension) -> str:
    return ABSENT if found.value is None else format_interval(found.value, found.lower, found.upper)


def _warnings(result: AggregatePosterior) -> list[str]:
    said = []
    if result.distinct < result.samples:
        said.append(
            f"Of {format_count(result.samples)} posterior means only {format_count(result.distinct)} differ; the "
            "intrinsic dimension is that of these."
        )
    if FEWEST <= result.distinct < _FEW:
        said.append(
            f"The intrinsic dimension is that of {format_count(result.distinct)} samples; raise data.samples to "
            f"{_FEW} or more."
        )
    return said
