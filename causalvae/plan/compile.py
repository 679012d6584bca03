"""Compiles a spec into a plan."""

from __future__ import annotations

from causalvae.data.factors import FactorSpace
from causalvae.data.split import SplitRule
from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentMap
from causalvae.plan.active import FindActive
from causalvae.plan.alignment import plan_alignment
from causalvae.plan.claims.arms import plan_claim
from causalvae.plan.controls import add_controls
from causalvae.plan.draft import Draft, Supply, as_asked
from causalvae.plan.owner import OBSERVED_CONTROL, Owner
from causalvae.plan.passes import optimise
from causalvae.plan.passes.pack import CPU_ROWS
from causalvae.plan.types import OBSERVED, Cohort, Options, Plan, Traversal
from causalvae.spec.families import measuring_distributions
from causalvae.spec.schema import Spec

_STRIP = (0.02, 0.14, 0.26, 0.38, 0.5, 0.62, 0.74, 0.86, 0.98)


def compile_spec(
    spec: Spec,
    components: ComponentMap,
    space: FactorSpace,
    passes: tuple[str, ...] | None = None,
    supply: Supply = as_asked,
    units: FindActive | None = None,
    only: str = "",
) -> Plan:
    """Compile a spec for one network and one data set's factors.

    Parameters
    ----------
    spec : Spec
    components : ComponentMap
        Of the spec's network.
    space : FactorSpace
        Of the spec's data.
    passes : tuple of str, optional
        Names of the optimiser's passes to apply; all where omitted.
    supply : callable, optional
        From a cohort to how many samples or pairs the data have for it, which is fewer than it asks for where finite
        data are exhausted; as many as are asked for where omitted.
    units : FindActive, optional
        Tells which units do something, where a circuit has too many rivals to run them all; None takes every unit.
    only : str
        Name of an analysis of the spec: what it alone asks for is planned; everything where empty.

    Returns
    -------
    Plan
        Its uses follow the order of the spec: interventions, hypotheses, alignment, analyses.

    Raises
    ------
    CausalVAEError
        CV300 to CV302 for addresses, CV303 to CV306 for what cannot be patched so, CV307 to CV310 for interventions
        that do not fit the spec or the data, CV311 for a claim that would need too many random circuits, CV313 for
        a latent that is not there, CV314 for a factor that cannot be set, CV317 and CV318 for paths that send no
        change, or two through one value, CV530 for a layer that no latent changes.
    """
    draft = _fill_draft(Draft(spec, components, space, supply, units), only)
    plan = Plan(
        name=spec.name,
        spec_digest=spec.digest,
        model_digest=components.model_digest,
        cohorts=tuple(draft.cohorts.values()),
        arms=tuple(draft.arms),
        uses=tuple(draft.uses),
        attributes=tuple(spec.graph.attributes),
        latent_attributes=_latent_attributes(draft),
        screens=tuple(draft.screens),
        compared=draft.compared,
        split=SplitRule.of(spec.data.split),
        contrasts=tuple(draft.contrasts),
        claims=draft.claims,
        asked=draft.asked,
        traversals=_traversals(draft),
        batch_rows=CPU_ROWS if spec.execution.batch_rows == "auto" else spec.execution.batch_rows,
        auto_rows=spec.execution.batch_rows == "auto",
        memory=spec.execution.memory_bytes,
        measures=_measures(spec),
        captured_by=components.captured_by,
        seed=spec.execution.seed,
        options=Options(precision=spec.execution.precision),
    )
    plan = optimise(plan, components) if passes is None else optimise(plan, components, passes)
    claims = [hypothesis.name for hypothesis in spec.hypotheses]
    return add_controls(plan, components, claims, spec.execution.controls and not only)


def _fill_draft(draft: Draft, only: str) -> Draft:
    spec = draft.spec
    observed = max(spec.data.samples, spec.alignment.outputs)
    draft.add_cohort(Cohort(OBSERVED, observed, spec.data.seed))
    draft.use(OBSERVED_CONTROL, "base", OBSERVED, "base", ())
    if only:
        spec.analyses[only].plan(draft)
        return draft
    for intervention in spec.interventions:
        intervention.level.plan(draft, Owner.intervention(intervention.name))
    for hypothesis in spec.hypotheses:
        plan_claim(draft, hypothesis)
    plan_alignment(draft)
    for analysis in spec.analyses.values():
        analysis.plan(draft)
    return draft


def _latent_attributes(draft: Draft) -> dict[str, int]:
    """Which latent each attribute that is one is."""
    found = {
        name: section.latent_index
        for name, section in draft.spec.graph.attributes.items()
        if section.latent_index is not None
    }
    for name, index in found.items():
        if index >= draft.components.latent_dim:
            raise CausalVAEError(
                "CV313",
                f"attribute {name} is latent {index}, and the network has {draft.components.latent_dim} latents.",
                f"Give an index from 0 to {draft.components.latent_dim - 1}.",
                f"graph.attributes.{name}.index",
            )
    return found


def _traversals(draft: Draft) -> tuple[Traversal, ...]:
    """A strip for every latent; those that a factor is mapped to come first."""
    mapped = draft.resolver.mapped_latents()
    latents = sorted(range(draft.components.latent_dim), key=lambda latent: (latent not in mapped, latent))
    return tuple(
        Traversal(latent, f"latent[{latent}]" + (f": {mapped[latent]}" if latent in mapped else ""), _STRIP, 0)
        for latent in latents
    )


def _measures(spec: Spec) -> str:
    """Content hash of the data, apart from how much of it is drawn, and of the attributes' readouts.

    Kinds of other distributions count with their version: another version may measure otherwise.
    """
    data = spec.data.model_dump(mode="json", exclude={"samples", "seed", "split"})
    attributes = {name: section.record for name, section in spec.graph.attributes.items()}
    versions = measuring_distributions(spec)
    return digest([data, attributes, versions] if versions else [data, attributes])
