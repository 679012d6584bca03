"""How mediations are shown: at mediators, along paths, through learned directions, and their cross-checks."""

from __future__ import annotations

from causalvae.plan.owner import Owner
from causalvae.report import effect_tables, tables
from causalvae.report.analysis_view import AnalysisView
from causalvae.report.blocks import Block, Folded, Heading, Section
from causalvae.report.cross_check_tables import cross_check_blocks
from causalvae.report.subspace_tables import learning_table, parts_table, subspace_owners
from causalvae.results import Results


def view_mediations(results: Results) -> AnalysisView:
    """Every mediation with its cross-checks and refuters."""
    learned = subspace_owners(results.estimates)
    others = [estimate for estimate in results.estimates if estimate.owner not in learned]
    mediations = effect_tables.mediation_tables(others, results.graph)
    further = effect_tables.other_estimates(results.estimates)
    if not mediations and not learned and not results.refutations and not further.rows:
        return AnalysisView()
    summary = effect_tables.mediation_summary(others, results.graph)
    blocks: list[Block] = [summary] if summary.rows else []
    blocks += [Folded(f"All effects of {table.caption}", table.filled) for table in mediations]
    for owner in learned:
        blocks += _subspace_blocks(results, owner)
    blocks += cross_check_blocks(results.cross_checks, results.arrows)
    if results.refutations:
        passed = sum(refutation.passed for refutation in results.refutations)
        total = len(results.refutations)
        blocks.append(
            Heading(
                "Refuters",
                f"Each tries to refute an estimate; the rule says when the estimate passes. {passed} of {{total}} do.",
            )
        )
        blocks.append(Folded(f"All {total} refuters", tables.refutation_table(results)))
    if further.rows:
        blocks.append(Folded(f"Further estimates ({len(further.rows)})", further.filled))
    section = Section(
        "mediation",
        "Mediation",
        "The total effect of the treatment, split at the mediating components: what they carry alone (indirect), what "
        "goes around them (direct), and what only both together do (interaction). Where stages have arrows between "
        "them, the change is sent along that path alone. Every value is exact, computed from runs of the network; "
        "DoWhy's value is an independent estimate from the same runs.",
        tuple(blocks),
    )
    return AnalysisView((section,))


def _subspace_blocks(results: Results, owner: Owner) -> list[Block]:
    """A mediation through learned directions: its parts side by side, and all effects of each folded away."""
    mine = [estimate for estimate in results.estimates if estimate.owner == owner]
    effects = [table.filled for table in effect_tables.mediation_tables(mine, results.graph)]
    return [
        parts_table(mine, owner).filled,
        learning_table(mine, owner).filled,
        *(Folded(table.caption, table) for table in effects),
    ]
