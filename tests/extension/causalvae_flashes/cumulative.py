"""A level of an intervention: components patched one after the other, each with those before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.intervention_section import InterventionLevel, references_below
from causalvae.spec.section import ComponentRef, Name
from causalvae.spec.treatment_checks import check_treatment

if TYPE_CHECKING:
    from causalvae.effects.context import EffectContext
    from causalvae.effects.cross_checks import CrossChecks
    from causalvae.effects.types import Estimate
    from causalvae.plan.draft import Draft as PlanDraft
    from causalvae.plan.owner import Owner
    from causalvae.spec.draft import Draft


class CumulativeIntervention(InterventionLevel):
    """Patch components together from the counterfactual input: the first, the first two, and so on."""

    kind: ClassVar[str] = "cumulative"

    treatment: Name = Field(description="The input intervention whose counterfactual gives the values.")
    components: tuple[ComponentRef, ...] = Field(min_length=1, description="In the order in which they are added.")

    def references(self) -> Iterator[tuple[Path, str]]:
        """The components."""
        return references_below(("components",), self.components)

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """A treatment that is no input intervention."""
        return check_treatment(draft, self.treatment, (*path, "treatment"))

    def plan(self, draft: PlanDraft, owner: Owner) -> None:
        """The runs of both inputs, and one for each set of components."""
        from causalvae.plan.draft import INTERCHANGE
        from causalvae.plan.resolve import joint_patches
        from causalvae.plan.targets import set_of

        cohort = draft.cohort(self.treatment)
        draft.clean_pair(owner, cohort)
        for index in range(len(self.components)):
            found = draft.resolver.find(self.components[: index + 1], owner)
            patches = joint_patches(found, INTERCHANGE, owner)
            draft.use(
                owner, "treated", cohort, "base", patches, component=set_of(found), granularity="set", index=index
            )

    def estimate(self, context: EffectContext, owner: Owner, checks: CrossChecks) -> list[Estimate]:
        """The effect size of each set on every attribute."""
        from causalvae.effects.outcomes import use_at
        from causalvae.effects.strength import PatchedArm, sweep_estimates

        arms = {arm.id: arm for arm in context.plan.arms}
        patched = [PatchedArm.of(use, arms) for use in context.plan.uses_of(owner, "treated")]
        base, counterfactual = (use_at(context.plan, owner, role).arm for role in ("base", "counterfactual"))
        bootstrap = context.bootstrap(context.outcomes.pairs([base, counterfactual, *(arm.arm for arm in patched)]))
        return sweep_estimates(
            context.outcomes, base, counterfactual, patched, "denoising", bootstrap,
            context.ablation(owner, treatment=self.treatment), context.scale, context.plan.attributes,
        )  # fmt: skip
