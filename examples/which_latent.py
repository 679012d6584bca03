"""Which latent carries which factor? One mediation analysis a factor, with every latent as a mediator.

Run from the repository's root:

    .venv/bin/python examples/which_latent.py [builtin://dsprites-vae]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import causalvae
from causalvae.spec import Spec

OUTCOMES = {"scale": "area", "x": "centroid_x", "y": "centroid_y"}
LATENTS = [f"latent[{latent}]" for latent in range(10)]


def declare(weights: str) -> Spec:
    """A spec with one input intervention and one mediation a factor; the same thing could be a YAML file."""
    return Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": "which-latent",
            "model": {"source": "zoo", "weights": weights},
            "data": {"source": "dsprites", "samples": 128},
            "graph": {
                "factors": list(OUTCOMES),
                "attributes": {
                    "area": {"readout": "area"},
                    "centroid_x": {"readout": "centroid", "axis": "x"},
                    "centroid_y": {"readout": "centroid", "axis": "y"},
                },
                "edges": [f"{factor} -> {outcome}" for factor, outcome in OUTCOMES.items()],
            },
            "interventions": [
                *({"name": f"do_{factor}", "input": {"factor": factor}} for factor in OUTCOMES),
                *(
                    {
                        "name": f"via_{factor}",
                        "mediation": {"treatment": f"do_{factor}", "mediators": LATENTS, "outcomes": [outcome]},
                    }
                    for factor, outcome in OUTCOMES.items()
                ),
            ],
            "estimation": {"dowhy": False},
        }
    )


def main() -> None:
    """Print the share of each factor's effect that each latent carries alone."""
    spec = declare(sys.argv[1] if len(sys.argv) > 1 else "builtin://dsprites-disentangled")
    session = causalvae.open_session(spec, Path.cwd())
    plan = causalvae.compile_plan(session)
    with tempfile.TemporaryDirectory() as runs:
        results = causalvae.analyse(session, causalvae.execute(session, plan, runs))
    shares = {
        (estimate.owner.name, estimate.component.label): estimate.value
        for estimate in results.estimates
        if estimate.estimand == "mediated_share" and estimate.outcome in OUTCOMES.values()
    }
    print("share of the effect that each latent carries alone")
    print("            " + "".join(f"{factor:>8}" for factor in OUTCOMES))
    for latent in LATENTS:
        row = [shares[f"via_{factor}", latent] for factor in OUTCOMES]
        print(f"{latent:<12}" + "".join(f"{share:8.2f}" for share in row))


if __name__ == "__main__":
    main()
