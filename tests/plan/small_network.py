"""A network's components as plain values, and a spec that uses every level of intervention."""

from __future__ import annotations

import copy
from typing import Any

from causalvae.models.components import ComponentMap, Site
from causalvae.spec.schema import Spec

COMPONENTS = ComponentMap(
    (
        Site("encoder.conv1@pre", "encoder", "Conv2d", (8, 4, 4), "conv", True, 0.9),
        Site("encoder.conv1", "encoder", "Conv2d", (8, 4, 4), "relu", True, 0.8),
        Site("encoder.lin1", "encoder", "Linear", (20,), "linear", True, 0.6),
        Site("latent", "latent", "latent", (6,), "mean", True, 0.5),
        Site("latent.mean", "latent", "posterior mean", (6,), "mean", True, 0.5),
        Site("latent.logvar", "latent", "posterior log-variance", (6,), "logvar", True, 0.0),
        Site("decoder.lin1", "decoder", "Linear", (20,), "linear_1", True, 0.4),
        Site("decoder.convT1", "decoder", "ConvTranspose2d", (8, 4, 4), "conv_1", True, 0.1),
    ),
    latent_dim=6,
    model_digest="m",
)

DOCUMENT: dict[str, Any] = {
    "spec": "causalvae/v1",
    "name": "small",
    "model": {"source": "zoo", "weights": "builtin://x"},
    "data": {"source": "dsprites", "samples": 40, "seed": 7},
    "graph": {
        "factors": ["shape", "scale", "x"],
        "attributes": {"area": {"readout": "area"}, "cx": {"readout": "centroid", "axis": "x"}},
        "edges": ["scale -> area", "shape -> area", "x -> cx"],
    },
    "mapping": {"scale": "latent[3]", "x": {"components": ["latent[1]", "latent[4]"]}},
    "interventions": [
        {"name": "resize", "input": {"factor": "scale"}},
        {"name": "square", "input": {"factor": "shape", "set": {"to": "square"}}},
        {"name": "sweep", "latent": {"components": "$x", "values": {"quantiles": [0.1, 0.5, 0.9]}, "pairs": 30}},
        {"name": "nudge", "latent": {"components": "latent[0]", "values": {"sd": [-1, 1]}}},
        {
            "name": "channels",
            "activation": {"components": ["encoder.conv1[2:5]"], "from": "resize", "direction": "both", "pairs": 10},
        },
        {
            "name": "layers",
            "activation": {"components": "encoder.**", "by": "layer", "from": "resize", "mode": "mean"},
        },
        {
            "name": "together",
            "activation": {
                "components": ["latent[0]", "decoder.lin1[3]", "latent[2]"],
                "by": "set",
                "from": "square",
                "mode": "resample",
                "direction": "noising",
            },
        },
        {
            "name": "via",
            "mediation": {"treatment": "resize", "mediators": ["$scale", "latent[0]"], "outcomes": ["area"]},
        },
        {"name": "via_one", "mediation": {"treatment": "resize", "mediators": ["$scale"], "outcomes": ["area"]}},
    ],
    "hypotheses": [
        {
            "name": "one",
            "treatment": "resize",
            "circuit": ["$scale"],
            "outcome": "area",
            "expect": {"mediated_share": {"at_least": 0.7}},
            "null": {"pairs": 24},
        },
        {
            "name": "same",
            "treatment": "resize",
            "circuit": ["latent[3]"],
            "outcome": "area",
            "expect": {"mediated_share": {"at_least": 0.3}, "off_target": {"at_most": 0.2}},
            "null": {"pairs": 24},
        },
    ],
    "alignment": {"samples": 60, "pairs": 40},
}


def make_spec(**changes: Any) -> Spec:
    """The document above with whole sections replaced; dotted names reach one level further down."""
    document = copy.deepcopy(DOCUMENT)
    for key, value in changes.items():
        section, _, field = key.partition("__")
        if field:
            document.setdefault(section, {})[field] = value
        else:
            document[section] = value
    return Spec.model_validate(document)
