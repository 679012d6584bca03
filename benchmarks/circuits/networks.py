"""Compiled networks as specs: the data that a circuit is meant for, a rise of its first column, and claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import causalvae
from causalvae.circuits import Verdict, judge
from causalvae.effects import open_context
from causalvae.models.kinds.compiled import CompiledModel
from causalvae.models.planted import CIRCUITS, Truth, truth
from causalvae.session import Session
from causalvae.spec.schema import Spec

TREATMENT, OUTCOME = "rise", "y"
_SESSIONS: dict[str, Session] = {}


@dataclass(frozen=True)
class Network:
    """A compiled circuit.

    Parameters
    ----------
    circuit : str
    keys : mapping
        Further keys of the model section.
    """

    circuit: str
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def section(self) -> dict[str, Any]:
        """The model section."""
        return {"source": "compiled", "circuit": self.circuit, **self.keys}

    @property
    def truth(self) -> Truth:
        """Its circuits."""
        return truth(CompiledModel.model_validate(self.section))

    @property
    def members(self) -> int:
        """Latents that belong to the circuit or decide how it works; the other latents follow."""
        return len(CIRCUITS[self.circuit].members)

    def spec(self, pairs: int, seed: int, **sections: Any) -> Spec:
        """A spec with a rise of the first column in this many pairs, drawn with `seed`, and further sections."""
        return Spec.model_validate(
            {
                "spec": "causalvae/v1",
                "name": self.circuit,
                "model": self.section,
                "data": {
                    "source": "scm",
                    "world": "table",
                    "variables": CIRCUITS[self.circuit].variables,
                    "samples": pairs,
                    "seed": seed,
                },
                "graph": {
                    "factors": ["t"],
                    "attributes": {OUTCOME: {"readout": "column", "index": 0}},
                    "edges": [f"t -> {OUTCOME}"],
                },
                "interventions": [{"name": TREATMENT, "input": {"factor": "t"}}],
                "estimation": {"bootstrap": 400, "dowhy": False},
                "execution": {"seed": seed, "controls": False},
                **sections,
            }
        )

    def open(self, spec: Spec) -> Session:
        """A session of one of its specs; the network is loaded once."""
        key = repr(sorted(self.section.items(), key=str))
        if key not in _SESSIONS:
            _SESSIONS[key] = causalvae.open_session(spec, Path())
        return replace(_SESSIONS[key], declared=spec, spec=spec)


def claim(name: str, circuit: Sequence[str], expect: Mapping[str, Any], **keys: Any) -> dict[str, Any]:
    """A hypothesis on how a rise reaches the first output."""
    return {
        "name": name,
        "treatment": TREATMENT,
        "circuit": list(circuit),
        "outcome": OUTCOME,
        "expect": dict(expect),
        "multiverse": False,
        **keys,
    }


def verdicts(
    network: Network, claims: Sequence[Mapping[str, Any]], pairs: int, seed: int, *, together: bool, **sections: Any
) -> list[Verdict]:
    """The engine's verdicts, from spec to verdict.

    Parameters
    ----------
    network : Network
    claims : sequence of mapping
    pairs, seed : int
    together : bool
        Whether the claims are the hypotheses of one spec, whose p-values are corrected together; otherwise each is
        judged as the only one of its spec.
    **sections
        Further sections of the spec.
    """
    spec = network.spec(pairs, seed, hypotheses=list(claims), **sections)
    session = network.open(spec)
    with TemporaryDirectory() as folder:
        measurements = causalvae.execute(session, causalvae.compile_plan(session), folder)
        alone = [spec.model_copy(update={"hypotheses": (hypothesis,)}) for hypothesis in spec.hypotheses]
        return [
            verdict
            for asked in ([spec] if together else alone)
            for verdict in judge(open_context(asked, measurements, session.whole, session.units), session.graph)
        ]
