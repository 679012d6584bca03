"""What a report says of a run in addition to its findings: graph, network, data, samples, execution, provenance."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from causalvae.digest import digest
from causalvae.engine.measurements import Measurements
from causalvae.plan.types import Plan
from causalvae.results import DataDraw, GraphSummary, LayerSummary, SampleFacts
from causalvae.samples import split_facts
from causalvae.selection import FoundLatents
from causalvae.session import Session
from causalvae.spec.families import distributions_of
from causalvae.spec.schema import Spec

_LIBRARIES = (
    "causalvae",
    "torch",
    "numpy",
    "pandas",
    "networkx",
    "dowhy",
    "pgmpy",
    "scipy",
    "scikit-learn",
    "pydantic",
)


def graph_summary(spec: Spec) -> GraphSummary:
    """The declared graph, with the components that nodes are mapped to."""
    return GraphSummary(
        factors=tuple(spec.graph.factors),
        attributes=tuple(spec.graph.attributes),
        edges=spec.graph.edge_pairs,
        mapping={node: section.components or () for node, section in spec.mapping.items()},
        vectors={name: section.components for name, section in spec.graph.vectors.items()},
    )


def model_facts(session: Session) -> dict[str, Any]:
    """Facts of the network, what was found when it was loaded, and the latents that were found for factors."""
    check = session.check
    return {
        **session.model.facts,
        "reconstruction (nats a sample)": round(check.reconstruction, 2),
        **({} if check.kl is None else {"KL (nats a sample)": round(check.kl, 2)}),
        **{f"found for {node}": _found_words(found) for node, found in session.found.items()},
    }


def layer_summaries(session: Session) -> tuple[LayerSummary, ...]:
    """The layers of the network, in the order in which they run."""
    return tuple(
        LayerSummary(site.name, site.stage, site.units) for site in session.model.components.sites if site.is_leaf
    )


def _found_words(found: FoundLatents) -> str:
    what = "movement" if found.by == "movement" else "effect"
    listed = " and ".join(f"latent[{i}] ({found.shares[i]:.0%} of the {what})" for i in found.latents)
    stable = "" if found.stability is None else f"; the same choice in {found.stability.same:.0%} of random halves"
    return f"{listed}, on {found.pairs} pairs that are used for nothing else{stable}"


def data_draw(session: Session) -> DataDraw:
    """Which data a session draws."""
    known = session.dataset.describe()
    content = digest([[str(key), str(value)] for key, value in sorted(known.items())])
    return DataDraw(session.spec.data.kind, content, session.spec.data.seed)


def data_facts(session: Session, samples: SampleFacts) -> dict[str, Any]:
    """Facts of the data, and how many pairs its treatments have."""
    return {
        **session.dataset.describe(),
        "pairs a treatment": _pairs_words(samples),
        "seed": session.spec.data.seed,
    }


def _pairs_words(samples: SampleFacts) -> int | str:
    """Pairs of the treatments; the fewest and the most where finite data have fewer of some."""
    counts = sorted({use.used for use in samples.cohorts if use.paired})
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]}"
    return counts[0] if counts else 0


def execution_facts(measurements: Measurements) -> dict[str, Any]:
    """How a plan was run: the device, how many rows, how long."""
    manifest = measurements.manifest
    return {
        "device": manifest["device"],
        "threads": manifest["threads"],
        "rows, clean runs included": manifest["rows"],
        "patched rows run": manifest["rows_run"],
        "patched rows not run (dead)": manifest["rows_dead"],
        "rows at once": manifest["batch_rows"],
        "seconds": round(manifest["seconds"], 1),
        "passes": ", ".join(record.name for record in measurements.plan.passes),
    }


def provenance(session: Session, plan: Plan) -> dict[str, Any]:
    """Digests, seed, the division of the data, and versions: what it takes to get the same numbers again."""
    split = split_facts(session.dataset, session.split)
    return {
        "spec digest": session.declared.digest,
        "plan digest": plan.digest,
        "tables digest": plan.tables_digest,
        "model digest": plan.model_digest,
        "seed": session.spec.execution.seed,
        **({"split": split} if split else {}),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{library: version(library) for library in _LIBRARIES},
        **distributions_of(session.declared),
    }
