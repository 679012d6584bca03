"""Whole specs that the fragments in the documentation belong to, and what a fragment makes of them."""

from __future__ import annotations

import copy
from typing import Any

SPRITES = """
spec: causalvae/v1
name: page
model: {source: zoo, weights: "builtin://dsprites-disentangled"}
data: {source: dsprites, samples: 64}
graph:
  factors: [shape, scale, orientation, x, y]
  attributes:
    area: {readout: area}
    centroid_x: {readout: centroid, axis: x}
    centroid_y: {readout: centroid, axis: y}
  edges: [scale -> area, shape -> area, x -> centroid_x]
mapping: {scale: "latent[8]", x: "latent[2]"}
interventions:
  - {name: resize, input: {factor: scale}}
  - {name: move_x, input: {factor: x}}
"""
TABLE = """
spec: causalvae/v1
name: page
model: {source: zoo, weights: doses.safetensors}
data: {source: csv, path: cells.csv}
graph: {attributes: {gene_1: {readout: {column: gene_1}}}}
interventions:
  - {name: another, input: {set: swap}}
"""
SHAPES = """
spec: causalvae/v1
name: page
model: {source: zoo, weights: shapes.safetensors}
data: {source: scm, world: shapes}
graph: {factors: [size], attributes: {area: {readout: area}}, edges: [size -> area]}
interventions:
  - {name: grow, input: {factor: size}}
"""
COLUMNS = """
spec: causalvae/v1
name: page
model: {source: compiled, circuit: or}
data: {source: scm, world: table}
graph: {factors: [t], attributes: {y: {readout: {column: t}}}, edges: [t -> y]}
interventions:
  - {name: rise, input: {factor: t}}
"""
TRAINING = """
spec: causalvae/train-v1
name: page
model: {architecture: burgess, latent_dim: 10}
data: {source: dsprites}
objective: {name: vae}
steps: 100
"""
WHOLE = (SPRITES, TABLE, SHAPES, COLUMNS, TRAINING)


def completed(whole: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    """`whole` with the keys of `fragment`.

    Mappings are merged, except where another `source` replaces a section; of interventions those stay whose names the
    fragment does not use.
    """
    result = copy.deepcopy(whole)
    for key, value in fragment.items():
        held = result.get(key)
        if key == "interventions":
            names = {entry["name"] for entry in value}
            result[key] = [*(entry for entry in held or () if entry["name"] not in names), *value]
        elif isinstance(held, dict) and isinstance(value, dict) and "source" not in value:
            result[key] = completed(held, value)
        else:
            result[key] = value
    return result
