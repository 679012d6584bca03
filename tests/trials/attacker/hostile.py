"""Text that tries to be markup, a formula, a command or an escape sequence, in every field that a user can fill."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path
from typing import Final

PWN: Final = "window.pwned=(window.pwned||0)+1"
SCRIPTS: Final = (
    f"<img src=x onerror={PWN}>",
    f'"><script>{PWN}</script>',
    f"</script><script>{PWN}</script>",
    f"' onmouseover={PWN} autofocus onfocus={PWN} x='",
    f"</title></style><svg onload={PWN}>",
    "--><iframe srcdoc='<script>parent.pwned=1</script>'>",
    f"[link](javascript:{PWN}) ![i](x)",
)
ODD: Final = (
    "=HYPERLINK(1)", "+1+1", "@SUM(A1)", "-2+3", "a|b", "`code` *b* _i_ # h",
    "\x1b[31mred\x1b]0;title\x07", "\u202egnp",
    "first\nsecond", "&lt;b&gt;&amp;", "]]><!--", "%s %n {x} {{7*7}}", "$(touch pwned) `id`; rm -rf x",
    "\ttab", "é\u0301\u200b",
    "::error::x", "\u2028x", '{"a": 1}', "\\\\x \\u202e \\n",
)  # fmt: skip

_NETWORK: Final = """\
import torch
from torch import nn

NAMES = {names!r}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        for name in NAMES:
            self.add_module(name, nn.Linear({inputs}, {inputs}))
        self.heads = nn.Linear({inputs}, 6)
        self.back = nn.Linear(3, {inputs})

    def encode(self, x):
        x = x.flatten(1)
        for name in NAMES:
            x = torch.tanh(self._modules[name](x))
        return self.heads(x).chunk(2, -1)

    def decode(self, z):
        return self.back(z)
"""

_SPEC: Final = """\
spec: causalvae/v1
name: hostile
description: {description}
model: {{source: python, factory: "nets:Net", latent_dim: 3, untrained: true, output: {{likelihood: gaussian}}}}
data:
  source: csv
  path: {table}
  inputs: {inputs}
  factors:
    dose: {{column: {dose}, kind: ordinal}}
    kind: {{column: {kind}, kind: categorical}}
    rank: {{column: rank, kind: ordinal}}
graph:
  factors: [dose, kind, rank]
  attributes:
    first: {{readout: column, column: {first}}}
    second: {{readout: column, column: {second}}}
  edges: [dose -> first, kind -> second]
mapping: {{dose: "latent[0]"}}
interventions:
  - {{name: more, input: {{factor: dose}}}}
  - {{name: other, input: {{factor: kind}}}}
  - {{name: sweep, latent: {{components: latent, values: {{quantiles: [0.1, 0.9]}}}}}}
  - {{name: patch, activation: {{components: ["encoder.**"], by: layer, from: more, pairs: 16}}}}
  - {{name: part, mediation: {{treatment: more, mediators: [$dose], outcomes: [first]}}}}
hypotheses:
  - {{name: h, claim: {claim}, treatment: more, circuit: [$dose], outcome: first,
     expect: {{mediated_share: {{at_least: 0.5}}}}, null: {{pairs: 24}}}}
discoveries: {{circuits: [{{name: d, treatment: more, outcome: first, halves: 4}}]}}
estimation: {{bootstrap: 50, dowhy: false, gcm: false}}
execution: {{device: cpu, controls: false}}
"""


def write_hostile(folder: Path) -> Path:
    """A spec, a table and a network, all of whose free text is hostile; the path of the spec."""
    import json

    folder.mkdir(parents=True, exist_ok=True)
    texts = [*SCRIPTS, *ODD]
    inputs = [f"{text} {place}" for place, text in enumerate(texts)]
    levels = [*SCRIPTS[:5], *ODD[:7]]
    dose, kind = f"dose {SCRIPTS[0]}", f"kind {SCRIPTS[1]}"
    table = folder / f"t{SCRIPTS[0].replace('/', '')} =1+1\u202e.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow([*inputs, dose, kind, "rank"])
        for row, (amount, level, rank) in enumerate(product(range(4), levels, range(3))):
            numbers = [round(0.1 * amount + (row * (place + 3) % 17) / 17, 4) for place in range(len(inputs))]
            writer.writerow([*numbers, amount, level, rank])
    names = [text.replace(".", ",") for text in (*SCRIPTS, *ODD[:6])]
    (folder / "nets.py").write_text(_NETWORK.format(names=names, inputs=len(inputs)), encoding="utf-8")
    said = json.dumps(" ".join((*SCRIPTS, *ODD)).replace("\x1b", "").replace("\x07", ""))
    path = folder / "hostile.yaml"
    fields = {
        "description": said,
        "claim": said,
        "table": json.dumps(table.name),
        "inputs": json.dumps(["*"]),
        "dose": json.dumps(dose),
        "kind": json.dumps(kind),
        "first": json.dumps(inputs[0]),
        "second": json.dumps(inputs[len(SCRIPTS)]),
    }
    path.write_text(_SPEC.format(**fields), encoding="utf-8")
    return path
