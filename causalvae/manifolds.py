"""Runs clean inputs through a network to see where a circuit's patched activations lie among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np
import torch

from causalvae.circuits.manifold import SAMPLES_EACH, compare_with_clean
from causalvae.circuits.types import Manifold, Verdict
from causalvae.data.factors import Rows
from causalvae.data.pairs import draw_samples
from causalvae.digest import digest
from causalvae.effects.bootstrap import FloatArray
from causalvae.engine.cohorts import draw_cohort
from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentRef
from causalvae.plan.types import Plan
from causalvae.session import Session

_CLEAN = 300
_PAIRS = 64
_ROWS = 64


def place_manifolds(session: Session, plan: Plan, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts with where their circuits' patched activations lie; sites with too many numbers are omitted."""
    seen = _Activations(session, plan)
    return tuple(replace(verdict, manifolds=_check(seen, verdict)) for verdict in verdicts)


def most_forwards(session: Session, plan: Plan) -> float:
    """What `place_manifolds` runs at most, in whole forward passes."""
    seen = _Activations(session, plan)
    sites = {part.site for claim in plan.claims.values() for part in claim.circuit if isinstance(part, ComponentRef)}
    treated = sum(cohort.treatment is not None for cohort in plan.cohorts)
    return float(sum(seen.is_small(site) for site in sites) * (_CLEAN + 2 * _PAIRS * treated))


def manifold_warnings(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """That patched activations lie where no clean ones do, for each circuit and site."""
    return tuple(
        f"“{verdict.words}”: {found.outside / found.n:.0%} of the patched activations at {found.site} are outside the "
        f"range of clean activations ({found.unpatched:.0%} without a patch). The network may behave there as it never "
        "does on data (Makelov et al. 2023)."
        for verdict in verdicts
        for found in verdict.manifolds
        if found.is_off
    )


def _check(seen: _Activations, verdict: Verdict) -> tuple[Manifold, ...]:
    found = []
    for site in dict.fromkeys(part.site for part in verdict.circuit):
        if not seen.is_small(site):
            continue
        clean = seen.clean(site)
        sides = seen.sides(verdict.treatment, site)
        if clean is None or sides is None:
            continue
        base, other = sides
        patched = base.copy()
        for part in verdict.circuit:
            if isinstance(part, ComponentRef) and part.site == site:
                place = _place(part)
                patched[place] = other[place]
        result = compare_with_clean(site, *(value.reshape(len(value), -1) for value in (clean, patched, other)))
        if result is not None:
            found.append(result)
    return tuple(found)


def _place(part: ComponentRef) -> tuple[slice | list[int], ...]:
    units = slice(None) if part.units is None else list(part.units)
    return (slice(None), units, *(slice(*span) for span in part.window))


class _Activations:
    """Clean activations of samples and of the inputs of pairs, each run once."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self._session, self._plan = session, plan
        self._found: dict[tuple[str, str], FloatArray] = {}

    def is_small(self, site: str) -> bool:
        """Whether clean samples are enough for a covariance of the site's value."""
        return SAMPLES_EACH * prod(self._session.model.components.site(site).shape) <= _CLEAN // 2

    def clean(self, site: str) -> FloatArray | None:
        """Of samples that are in no test, where the data can be divided."""
        session = self._session
        try:
            within = session.split.within(session.dataset, "fit")
        except CausalVAEError:
            return None
        seed = int(digest(["manifold", session.spec.data.seed]), 16) % 2**62
        return self._at("observed", site, draw_samples(session.dataset, _CLEAN, seed, within))

    def sides(self, treatment: str, site: str) -> tuple[FloatArray, FloatArray] | None:
        """Of both inputs of a treatment's first pairs."""
        cohort = next((cohort for cohort in self._plan.cohorts if cohort.name == treatment), None)
        if cohort is None:
            return None
        drawn = draw_cohort(self._session.dataset, cohort, self._plan.split)
        base, other = (
            self._at(f"{treatment} {side}", site, drawn.rows[side][:_PAIRS]) for side in ("base", "counterfactual")
        )
        return base, other

    def _is_mean(self, site: str) -> bool:
        """Whether a site's value is the posterior mean, for which the decoder need not run."""
        is_passed_on = self._session.spec.model.latent == "mean" and self._session.model.vae.latent_layer is None
        return site == "latent.mean" or (site == "latent" and is_passed_on)

    @torch.inference_mode()
    def _at(self, name: str, site: str, rows: Rows) -> FloatArray:
        if (name, site) not in self._found:
            model = self._session.model
            node = model.components.site(site).node
            noise = torch.Generator().manual_seed(0)
            parts = []
            for start in range(0, len(rows), _ROWS):
                inputs = self._session.dataset.inputs(rows[start : start + _ROWS])
                if self._is_mean(site):
                    value = model.vae.encode(inputs).mean
                else:
                    drawn = torch.randn((len(inputs), *model.vae.latent_shape), generator=noise)
                    value = model.graph.run(inputs, drawn, keep=(node,), to_end=False)[node]
                parts.append(value.double().cpu().numpy())
            self._found[name, site] = np.concatenate(parts)
        return self._found[name, site]
