"""One bad spec for each code: an edit of the good spec, with a mark where the fault must be reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

GOOD = (Path(__file__).parent / "good.yaml").read_text(encoding="utf-8")
MARK = "«"


@dataclass(frozen=True)
class Fault:
    """A fault: its code, the text that is replaced in the good spec, what replaces it with one mark, more edits."""

    code: str
    old: str
    new: str
    also: tuple[tuple[str, str], ...] = ()

    @property
    def marked(self) -> str:
        text = GOOD
        for old, new in ((self.old, self.new), *self.also):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        assert text.count(MARK) == 1, self.new
        return text

    @property
    def text(self) -> str:
        return self.marked.replace(MARK, "")

    @property
    def place(self) -> tuple[int, int]:
        before = self.marked.split(MARK)[0]
        return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


EDGES = "    - scale -> area\n"
AREA = "    area: {readout: area}\n"
RESIZE = "    input: {factor: scale, set: resample, others: hold}\n"
LATENT = "    latent: {components: $scale, values: {quantiles: [0.05, 0.25, 0.75, 0.95]}}\n"
EXPECT = "      off_target: {at_most: 0.2}\n"
SHARE = "      mediated_share: {at_least: 0.7}\n"
ALPHA = "    alpha: 0.05\n"
SAMPLES = "  samples: 512\n"
NULL = "    null: {circuits: random, samples: 200}\n"
MEDIATION = "    mediation: {treatment: resize, mediators: [$scale], outcomes: [area, centroid_x]}\n"
FACTORS = "  factors: [shape, scale, orientation, x, y]\n"
HEART = "    heart: {readout: probe, target: shape, label: heart}\n"
SPEC = "spec: causalvae/v1\n"
SEED = "  seed: 7\n"
CIRCUIT = "    circuit: [$scale]\n"
OUTCOME = "    outcome: area\n"
ACTIVATION = (
    '    activation: {components: ["encoder.**", "decoder.**"], by: channel, from: resize, mode: interchange}\n'
)
ESTIMATION = "estimation: {bootstrap: 1000, refute: [placebo, random_common_cause, subset]}\n"
ALIGNMENT = "alignment: {alpha: 0.05, correction: holm}\n"
REST = GOOD[GOOD.index("interventions:") :]

LATENTS = (
    ("{readout: centroid, axis: x}", "{readout: latent, index: 1}"),
    ("{readout: centroid, axis: y}", "{readout: latent, index: 2}"),
    ("{readout: probe, target: shape, label: heart}", "{readout: latent, index: 3}"),
)

POSITION = "  vectors: {position: [centroid_x, centroid_y]}\n"
SIZED = ((FACTORS, FACTORS + "  vectors: {look: [area, heart]}\n"),)

DATA = "  source: dsprites\n"
TABLE = """    shape: {levels: [square, ellipse, heart]}
    scale: uniform(0.5, 1)
    orientation: uniform(0, 2 * pi)
    x: 0.5 + 0.2 * (scale - 0.75) + normal(0, 0.05)
    y: {levels: [0.3, 0.7], given: shape, table: {square: [1, 0], ellipse: [0.5, 0.5], heart: [0, 1]}}
"""
SHAPES = """    shape: {levels: [square, ellipse, cross]}
    scale: uniform(0.5, 1)
    size: 0.2 * scale
    orientation: uniform(0, 2 * pi)
    angle: orientation
    x: uniform(0.3, 0.7)
    y: uniform(0.3, 0.7)
"""
NO_HEART = (
    ("    heart: {readout: probe, target: shape, label: heart}\n", "    heart: {readout: area}\n"),
    ("{to: heart}", "{to: cross}"),
)


def _table(code: str, old: str, new: str) -> Fault:
    """The good spec with its data declared as a table, of which a part is replaced."""
    assert TABLE.count(old) == 1, old
    return Fault(code, DATA, "  source: scm\n  world: table\n  variables:\n" + TABLE.replace(old, new))


def _shapes(code: str, old: str, new: str) -> Fault:
    """The good spec with its data declared as shapes, of which a part is replaced."""
    assert SHAPES.count(old) == 1, old
    text = "  source: scm\n  world: shapes\n  variables:\n" + SHAPES.replace(old, new)
    return Fault(code, DATA, text, NO_HEART)


def _routed(how: str) -> str:
    """The mediation, sent along edges."""
    return MEDIATION.replace("mediators: [$scale]", how)


def _screened(keys: str) -> str:
    return f"    activation: {{components: encoder.*, from: resize, {keys}}}\n"


FAULTS = (
    Fault("CV004", SEED, "  seed: 7  # «\x07\n"),
    Fault("CV004", "description: Does", 'description: «"a\\0b" # Does'),
    Fault("CV006", SEED, "«\tseed: 7\n"),
    Fault("CV006", "description: Does", "description: Does«: this: too "),
    Fault("CV006", OUTCOME, '    outcome: «"area\n'),
    Fault("CV006", "  samples: 512\n", "  samples: «@512\n"),
    Fault("CV007", SEED, "  seed: «!!python/object:os.system 7\n"),
    Fault("CV010", CIRCUIT, "    circuit: «*mine\n"),
    Fault("CV010", CIRCUIT, "    circuit: &mine [$scale, «*mine]\n"),
    Fault("CV011", SEED, "  seed: 7\n  «seed: 8\n"),
    Fault("CV012", "model:\n", "«---\nmodel:\n"),
    Fault("CV014", SEED, "  seed: 7\n  ? «[a, b]\n  : 3\n"),
    Fault("CV014", SEED, "  seed: 7\n  «: 3\n"),
    Fault("CV015", SEED, "  seed: 7\n  «<<: {samples: 3}\n"),
    Fault("CV018", "builtin://dsprites-disentangled", "«builtin://dsprites-tcave"),
    Fault("CV016", SPEC, "spec: «causalvae/v2\n"),
    Fault("CV016", SPEC, "spec: «causalvae/train-v1\n"),
    Fault("CV020", SEED, "  seed: 7\n  «sampels: 512\n"),
    Fault("CV020", ACTIVATION, "    activation: {components: encoder.*, from: resize, «source: resize}\n"),
    Fault("CV020", "alpha: 0.05\n\nest", "alpha: 0.05\n    «bound: 3\n\nest"),
    Fault("CV021", SPEC, "«"),
    Fault("CV021", AREA, "    «area: {}\n"),
    Fault("CV021", "  - name: sweep_scale\n    latent", "  - «latent"),
    Fault("CV021", "model:\n  source: zoo\n", "«model:\n"),
    Fault("CV022", "  samples: 512\n", '  samples: «"512"\n'),
    Fault("CV022", "  samples: 512\n", "  samples: «true\n"),
    Fault("CV022", "  samples: 512\n", "  samples: «512.5\n"),
    Fault("CV022", "  samples: 512\n", "  «samples:\n"),
    Fault("CV022", CIRCUIT, "    circuit: «$scale\n"),
    Fault("CV022", FACTORS, "  factors: [shape, scale, orientation, x, y, «{z: {}}]\n"),
    Fault("CV022", RESIZE, "    input: {factor: scale, set: «3}\n"),
    Fault("CV022", ESTIMATION, "estimation: {dowhy: «yes}\n"),
    Fault(
        "CV022",
        "outcomes: [area, centroid_x]}",
        "outcomes: [area, centroid_x], control: «{quantile: 0.5, value: 1}}",
    ),
    Fault("CV022", "execution: {device: auto,", "execution: {memory: «0 GB,"),
    Fault("CV022", "execution: {device: auto,", "execution: {memory: «2000000,"),
    Fault("CV022", "description: Does", "description: «[a]\n#"),
    Fault("CV023", "  source: zoo\n", "  source: «zo\n"),
    Fault("CV023", "report: {formats: [html,", "report: {formats: [«pdf,"),
    Fault("CV023", LATENT, "    latent: {components: $scale, values: «zeros}\n"),
    Fault("CV024", "    alpha: 0.05\n", "    alpha: «2\n"),
    Fault("CV024", "    alpha: 0.05\n", "    alpha: «5.0e-324\n"),
    Fault("CV024", "  samples: 512\n", "  samples: «0\n"),
    Fault("CV024", "alignment: {alpha: 0.05", "alignment: {alpha: «.nan"),
    Fault("CV024", SEED, "  seed: «-7\n"),
    Fault("CV024", "  samples: 512\n", "  samples: «1\n"),
    Fault("CV024", "  samples: 512\n", "  samples: «1000001\n"),
    Fault("CV024", NULL, "    null: {samples: «1000001}\n"),
    Fault("CV024", ESTIMATION, "estimation: {bootstrap: «1000001}\n"),
    Fault("CV024", LATENT, "    latent: {components: $scale, pairs: «1}\n"),
    Fault("CV024", ACTIVATION, "    activation: {components: encoder.*, from: resize, pairs: «1}\n"),
    Fault("CV024", MEDIATION, MEDIATION.replace("}\n", ", pairs: «1}\n")),
    Fault("CV024", NULL, "    null: {pairs: «7}\n"),
    Fault("CV025", "name: dsprites-scale\n", "name: «dsprites scale\n"),
    Fault("CV025", AREA, AREA + '    «"b c": {readout: area}\n'),
    Fault("CV025", MEDIATION, MEDIATION.replace("centroid_x", "«größe")),
    Fault("CV022", MEDIATION, MEDIATION.replace("area, centroid_x", "«3, area")),
    Fault("CV026", EDGES, "    - «scale => area\n"),
    Fault("CV027", CIRCUIT, "    circuit: «[]\n"),
    Fault("CV027", FACTORS, "  factors: {shape: {}, scale: {}, orientation: {}, x: {}, y: {range: «[1, 2, 3]}}\n"),
    Fault("CV027", MEDIATION, "    mediation: {treatment: resize, mediators: [$scale], outcomes: «[]}\n"),
    Fault("CV028", "  - name: sweep_scale\n", "  - «name: sweep_scale\n" + RESIZE),
    Fault("CV028", LATENT, "    latent: {components: $scale, values: «{quantiles: [0.5], sd: [1]}}\n"),
    Fault("CV029", EXPECT, "      off_target: «{}\n"),
    Fault("CV029", EXPECT, "      off_target: «{at_least: 0.9, at_most: 0.1}\n"),
    Fault("CV029", "      mediated_share: {at_least: 0.7}\n" + EXPECT, "      «{}\n"),
    Fault("CV030", EDGES, EDGES + "    - «scael -> area\n"),
    Fault("CV030", EDGES, EDGES + "    - scale -> «aera\n"),
    Fault("CV030", ALIGNMENT, ALIGNMENT[:-2] + ", rivals: {other: [scale -> area, «scael -> area]}}\n"),
    Fault("CV031", AREA, AREA + "    «y: {readout: area}\n"),
    Fault("CV032", EDGES, EDGES + "    - scale -> x\n    - x -> y\n    - «y -> scale\n"),
    Fault("CV032", EDGES, EDGES + "    - «x -> x\n"),
    Fault("CV032", ALIGNMENT, ALIGNMENT[:-2] + ", rivals: {other: [scale -> x, «x -> scale]}}\n"),
    Fault("CV033", EDGES, EDGES + "    - «centroid_x -> scale\n"),
    Fault("CV034", FACTORS, "  factors: [shape, scale, orientation, x, y, «size]\n"),
    Fault("CV034", FACTORS, "  factors: {shape: {}, scale: {}, orientation: {}, x: {}, y: {}, «size: {}}\n"),
    Fault("CV035", FACTORS, "  factors: {shape: {}, scale: {levels: «7}, orientation: {}, x: {}, y: {}}\n"),
    Fault("CV035", FACTORS, "  factors: {shape: {kind: «ordinal}, scale: {}, orientation: {}, x: {}, y: {}}\n"),
    Fault("CV035", FACTORS, "  factors: {shape: {}, scale: {}, orientation: {}, x: {}, y: {range: «[0, 2]}}\n"),
    Fault("CV036", FACTORS, "  factors: [shape, scale, orientation, x, y, «x]\n"),
    Fault("CV037", EDGES, EDGES + "    - «scale->area\n"),
    Fault("CV038", AREA, AREA + "    «cx: {readout: centroid}\n"),
    Fault("CV038", AREA, AREA + "    cx: {readout: centroid, axis: «major}\n"),
    Fault("CV038", HEART, "    «heart: {readout: probe, target: shape}\n"),
    Fault("CV039", AREA, "    area: {readout: area, «axis: x}\n"),
    Fault("CV040", HEART, "    heart: {readout: probe, target: «scale, label: heart}\n"),
    Fault("CV041", HEART, "    heart: {readout: probe, target: shape, label: «hart}\n"),
    Fault("CV042", AREA, AREA + "    «arm: {readout: area}\n"),
    Fault("CV042", AREA, AREA + "    «pair: {readout: area}\n"),
    Fault("CV042", AREA, AREA + "    «live: {readout: area}\n"),
    Fault("CV042", AREA, AREA + "    «image: {readout: area}\n"),
    Fault("CV042", AREA, AREA + "    «image_sq: {readout: area}\n"),
    Fault("CV042", AREA, AREA + "    «image_dot: {readout: area}\n"),
    Fault("CV043", SPEC, SPEC + "include: «shared.yaml\n"),
    Fault("CV044", SAMPLES, "  samples: «${n}\n"),
    Fault("CV044", SAMPLES, '  samples: "«${n}"\n'),
    Fault(
        "CV044", SPEC, SPEC + 'variables: {a: "${b}", b: "x «${a}"}\n', (("description: Does", "description: ${a}"),)
    ),
    Fault("CV044", "description: Does", "description: size «${a} or", ((SPEC, SPEC + "variables: {a: [1]}\n"),)),
    Fault("CV045", ESTIMATION, ESTIMATION + "grid: {interventions.«rezise.input.factor: [scale, x]}\n"),
    Fault("CV045", ESTIMATION, ESTIMATION + "grid: {«data..seed: [1, 2]}\n"),
    Fault("CV045", ESTIMATION, ESTIMATION + "grid: {name.«first: [1, 2]}\n"),
    Fault("CV046", ESTIMATION, ESTIMATION + "grid: {data.seed: «[]}\n"),
    Fault("CV046", ESTIMATION, ESTIMATION + "grid: «{}\n"),
    Fault("CV050", CIRCUIT, '    circuit: [«"encoder conv1"]\n'),
    Fault("CV050", CIRCUIT, '    circuit: [«"encoder.conv1[4:4]"]\n'),
    Fault("CV050", '  x: {components: ["latent[5]"]}\n', '  x: {components: [«"latent[a]"]}\n'),
    Fault("CV051", CIRCUIT, "    circuit: [«$size]\n"),
    Fault("CV051", CIRCUIT, "    circuit: [«$orientation]\n"),
    Fault("CV051", "  scale: latent[3]\n", "  scale: «$x\n"),
    Fault("CV052", "  scale: latent[3]\n", "  scale: «latent[10]\n"),
    Fault("CV052", CIRCUIT, '    circuit: [«"latent.logvar[8:11]"]\n'),
    Fault("CV052", CIRCUIT, '    circuit: [«"latent[:, 2:4]"]\n'),
    Fault("CV090", "  scale: latent[3]\n", "  scale: latent[3]\n  area: {find: «1}\n"),
    Fault("CV052", "  scale: latent[3]\n", "  scale: {find: «11}\n"),
    Fault("CV023", "  scale: latent[3]\n", "  scale: {find: {count: 2, by: «size}}\n"),
    Fault("CV024", "  scale: latent[3]\n", "  scale: {find: {count: «0}}\n"),
    Fault("CV053", "  scale: latent[3]\n", "  scale: latent[3]\n  «sacle: latent[4]\n"),
    Fault("CV054", CIRCUIT, '    circuit: [«"latent.men[3]"]\n'),
    Fault("CV060", "  - name: sweep_scale\n", "  - name: «resize\n"),
    Fault("CV061", "    treatment: resize\n", "    treatment: «resiez\n"),
    Fault("CV061", ACTIVATION, "    activation: {components: encoder.*, from: «nothing}\n"),
    Fault("CV062", "    treatment: resize\n", "    treatment: «via_scale\n"),
    Fault("CV063", RESIZE, "    input: {factor: «size}\n"),
    Fault("CV064", RESIZE, "    input: {factor: scale, set: {to: «0.55}}\n"),
    Fault("CV064", "    input: {factor: shape, set: {to: heart}}\n", "    input: {factor: shape, set: {to: «hart}}\n"),
    Fault("CV064", RESIZE, "    input: {factor: scale, set: {to: «large}}\n"),
    Fault("CV064", RESIZE, "    input: {factor: scale, set: {from: «0.55, to: 1.0}}\n"),
    Fault("CV064", RESIZE, "    input: {factor: scale, set: {from: «0.5, to: 0.5001}}\n"),
    Fault("CV066", RESIZE, "    input: {factor: scale, set: {from: 0.5, to: 1.0}, contrast: «increase}\n"),
    Fault(
        "CV065",
        RESIZE,
        "    input: {factor: scale, others: «propagate}\n",
        ((EDGES, EDGES + "    - scale -> x\n"),),
    ),
    Fault("CV065", RESIZE, "    input: {factor: scale, others: {release: «x}}\n"),
    Fault(
        "CV066", "    input: {factor: shape, set: {to: heart}}\n", "    input: {factor: shape, contrast: «increase}\n"
    ),
    Fault("CV066", RESIZE, "    input: {factor: scale, set: {to: 0.5}, contrast: «increase}\n"),
    Fault("CV067", "  - name: sweep_scale\n", "  - name: «observed\n"),
    Fault("CV070", OUTCOME, "    outcome: «aera\n"),
    Fault("CV070", MEDIATION, "    mediation: {treatment: resize, mediators: [$scale], outcomes: [area, «scale]}\n"),
    Fault("CV070", OUTCOME, "    outcome: «poistion\n", ((FACTORS, FACTORS + POSITION),)),
    Fault("CV030", EDGES, EDGES + "    - scale -> «position\n", ((FACTORS, FACTORS + POSITION),)),
    Fault("CV071", OUTCOME, "    outcome: «centroid_x\n"),
    Fault("CV071", OUTCOME, "    outcome: «position\n", ((FACTORS, FACTORS + POSITION),)),
    Fault(
        "CV071",
        MEDIATION,
        "    mediation: {treatment: resize, mediators: [$scale], outcomes: «[position]}\n",
        ((FACTORS, FACTORS + POSITION),),
    ),
    Fault("CV072", EXPECT, "      total_effect: {at_least: «0}\n", (*SIZED, (OUTCOME, "    outcome: look\n"))),
    Fault("CV075", EXPECT, "      total_effect: {at_most: «-1}\n", (*SIZED, (OUTCOME, "    outcome: look\n"))),
    Fault("CV075", EXPECT, "      total_effect: «{at_least: 1}\n", ((OUTCOME, "    outcome: image\n"),)),
    Fault("CV080", OUTCOME, "    outcome: «image\n", ((AREA, "    area: {readout: latent, index: 0}\n"), *LATENTS)),
    Fault("CV095", FACTORS, FACTORS + "  vectors: {position: [centroid_x, «centroidy]}\n"),
    Fault("CV095", FACTORS, FACTORS + "  vectors: {position: {components: [centroid_x, «x], scale: raw}}\n"),
    Fault("CV095", FACTORS, FACTORS + "  vectors: {position: [centroid_x, centroid_y, «centroid_x]}\n"),
    Fault("CV095", FACTORS, FACTORS + "  vectors: {position: «[centroid_x]}\n"),
    Fault("CV095", FACTORS, FACTORS + "  vectors: {look: [area, heart], pose: [centroid_x, «look]}\n"),
    Fault("CV096", FACTORS, FACTORS + "  vectors: {«x: [centroid_x, centroid_y]}\n"),
    Fault("CV096", FACTORS, FACTORS + "  vectors: {«area: [centroid_x, centroid_y]}\n"),
    Fault("CV096", FACTORS, FACTORS + "  vectors: {«image: [centroid_x, centroid_y]}\n"),
    Fault("CV096", FACTORS, FACTORS + "  vectors: {«pair: [centroid_x, centroid_y]}\n"),
    Fault("CV023", FACTORS, FACTORS + "  vectors: {pose: {components: [area, heart], scale: «unit}}\n"),
    Fault("CV093", MEDIATION, MEDIATION[:-2] + ", subspace: {objective: «centroid}}\n"),
    Fault("CV093", MEDIATION, MEDIATION[:-2] + ", subspace: {objective: «scale}}\n"),
    Fault("CV094", MEDIATION, MEDIATION[:-2] + ", control: «mean, subspace: {}}\n"),
    Fault("CV024", MEDIATION, MEDIATION[:-2] + ", subspace: {dim: «0}}\n"),
    Fault("CV071", MEDIATION, "    mediation: {treatment: resize, mediators: [$scale], outcomes: «[centroid_x]}\n"),
    Fault("CV072", EXPECT, "      off_target: {at_most: «1}\n"),
    Fault("CV072", EXPECT, "      off_target: {at_least: «0}\n"),
    Fault("CV072", EXPECT, "      necessity: {at_least: «-.inf}\n"),
    Fault("CV072", EXPECT, "      off_target: {at_least: -1, at_most: «2}\n"),
    Fault(
        "CV072",
        EXPECT,
        "      off_target: «{at_most: 0.2}\n",
        ((EDGES, EDGES + "    - scale -> heart\n    - scale -> centroid_x\n    - scale -> centroid_y\n"),),
    ),
    Fault("CV073", ALPHA, "    alpha: «0.0001\n", ((CIRCUIT, '    circuit: ["decoder.convT1[0:3]"]\n'),)),
    Fault("CV074", REST, "interventions: «[]\n"),
    Fault("CV075", EXPECT, "      off_target: {at_least: «1.5}\n"),
    Fault("CV075", SHARE, "      mediated_share: {at_least: «1}\n"),
    Fault("CV075", EXPECT, "      necessity: {at_least: «1.2}\n"),
    Fault("CV072", SHARE, "      mediated_share: {at_least: «0}\n"),
    Fault("CV072", EXPECT, "      necessity: {at_least: «-0.1}\n"),
    Fault("CV029", SHARE, "      «special: true\n"),
    Fault("CV029", SHARE, "      «minimal: true\n"),
    Fault("CV068", SAMPLES, "  samples: «23\n"),
    Fault("CV069", EXPECT, "      failing: {at_most: «0.005}\n"),
    Fault("CV072", EXPECT, "      failing: {at_most: «1}\n"),
    Fault("CV072", EXPECT, "      interaction_share: {at_most: «0.1}\n"),
    Fault("CV072", EXPECT, "      interaction_share: {at_least: «-0.1}\n"),
    Fault("CV072", EXPECT, "      failing: {at_least: «0.1}\n"),
    Fault("CV075", EXPECT, "      failing: {at_most: «0}\n"),
    Fault("CV075", EXPECT, "      failing: {at_most: «5.0e-324}\n"),
    Fault("CV075", EXPECT, "      equivalent: {at_most: «0}\n"),
    Fault("CV075", EXPECT, "      equivalent: {at_least: «0.1}\n"),
    Fault("CV075", SHARE, "      mediated_share: {at_most: 0.2}\n      unique: «true\n"),
    Fault("CV055", CIRCUIT, "    circuit: ['latent.mean[3]', 'latent.logvar[3]']\n    subsets: «{pairs: 64}\n"),
    Fault("CV075", EXPECT, "      necessity: {at_most: «-.inf}\n"),
    Fault("CV076", CIRCUIT, "    circuit: «[latent]\n"),
    Fault("CV076", CIRCUIT, "    circuit: «[latent.mean, latent.logvar]\n"),
    Fault("CV076", CIRCUIT, "    circuit: «['latent[0:4]', 'latent[4:10]']\n"),
    Fault("CV076", CIRCUIT, "    circuit: «[$scale]\n", (("  scale: latent[3]\n", "  scale: latent\n"),)),
    Fault("CV077", ESTIMATION, "estimation: {dowhy: false, refute: «[placebo]}\n"),
    Fault(
        "CV077",
        ESTIMATION,
        "estimation: {refute: «[placebo]}\n",
        (("  - name: via_scale\n" + MEDIATION, ""),),
    ),
    Fault("CV078", ACTIVATION, _screened("by: set, screen: «{keep: 0.2}")),
    Fault("CV079", ACTIVATION, _screened("mode: zero, screen: {method: «integrated_gradients}")),
    Fault("CV080", AREA, "    area: {readout: latent, index: 0}\n", (*LATENTS, (ACTIVATION, _screened("screen: «{}")))),
    Fault("CV081", ACTIVATION, _screened("screen: {steps: «8}")),
    Fault("CV082", "execution: {device: auto,", "execution: {address: «auto,"),
    Fault("CV063", DATA, DATA + "  condition: [shape, «colour]\n"),
    Fault("CV063", ACTIVATION, _screened("mode: {resample: {given: «colour}}")),
    Fault("CV028", ACTIVATION, _screened("mode: «{}")),
    Fault("CV036", DATA, DATA + "  condition: [shape, scale, «shape]\n"),
    _table("CV083", "uniform(0.5, 1)", "uniform«(0.5, 1"),
    _table("CV083", "uniform(0.5, 1)", "«scale = 0.5 + uniform(0, 1)"),
    _table("CV083", "uniform(0.5, 1)", "0.5 + «uniform(0.5)"),
    _table("CV083", "uniform(0.5, 1)", "2 «^ uniform(0.5, 1)"),
    _table("CV083", "uniform(0.5, 1)", "2 + «scale.real"),
    _table("CV083", "uniform(0.5, 1)", "0.5 + «shape"),
    _table("CV083", "uniform(0.5, 1)", "«log(normal(0, 1))"),
    _table("CV083", "uniform(0.5, 1)", "0.5 * «case(shape, square=0.5, heart=1)"),
    _table("CV083", "    scale:", "    «sca-le: 1\n    scale:"),
    _table("CV083", "    scale:", "    «sin: 1\n    scale:"),
    _table("CV083", "uniform(0.5, 1)", "{equation: 'uniform(0, 1)', clip: «[1, 0.5]}"),
    _table("CV083", "uniform(0.5, 1)", "{equation: 'uniform(0, 1)', «table: {a: [1]}}"),
    _table("CV083", "uniform(0.5, 1)", "«{range: [0, 1]}"),
    _table("CV083", "uniform(0.5, 1)", "2 + «normal(0, -0.1)"),
    _table("CV083", "uniform(0.5, 1)", "«exponential(-1)"),
    _table("CV083", "uniform(0.5, 1)", "«laplace(0, -1)"),
    _table("CV083", "uniform(0.5, 1)", "«uniform(1, 0.5)"),
    _table("CV083", "uniform(0.5, 1)", "«bernoulli(1.5)"),
    _table("CV083", "uniform(0.5, 1)", "«bernoulli(-0.1)"),
    _table("CV083", "uniform(0.5, 1)", "«gamma(1e308, 1)"),
    _table("CV083", "uniform(0.5, 1)", "«gamma(0, 1)"),
    _table("CV083", "uniform(0.5, 1)", "«gamma(2, -1)"),
    _table("CV083", "uniform(0.5, 1)", "«clip(normal(0, 1), 1, 0)"),
    _table("CV083", "uniform(0.5, 1)", "2 + «normal(0, uniform(-1, 1))"),
    _table("CV083", "uniform(0.5, 1)", "«bernoulli(normal(0, 1))"),
    _table("CV083", "uniform(0.5, 1)", "«9**9**9"),
    _table("CV083", "uniform(0.5, 1)", "«normal(0, 1e-300)"),
    _table("CV083", "uniform(0.5, 1)", "«normal(0, 1e300)"),
    _table("CV083", "uniform(0.5, 1)", "{equation: «'uniform(0, 1)', range: [-1e300, 1]}"),
    _table("CV083", "levels: [0.3, 0.7]", "levels: «[0.3, 1e308]"),
    _table("CV027", "levels: [0.3, 0.7]", "levels: «[0.3]"),
    _table("CV027", "levels: [0.3, 0.7]", "levels: «[]"),
    _table("CV027", "levels: [0.3, 0.7]", "levels: «{a: 1}"),
    _table("CV083", "heart: [0, 1]", "heart: «[0, 0.9]"),
    _table("CV083", "heart: [0, 1]", "heart: «[1]"),
    _table("CV083", "table: {square: [1, 0],", "table: «{"),
    _table("CV083", "given: shape", "given: «x"),
    _table("CV083", "levels: [0.3, 0.7]", "levels: «[0.7, 0.3]"),
    _table("CV084", "(scale", "(«sclae"),
    _table("CV084", "normal(0, 0.05)", "«nrmal(0, 0.05)"),
    _table("CV084", "uniform(0.5, 1)", "0.6 if shape == '«hart' else 0.7"),
    _table("CV084", "heart: [0, 1]", "«hart: [0, 1]"),
    _table("CV084", "given: shape", "given: «shpae"),
    _table(
        "CV085", TABLE[TABLE.index("uniform(0.5") : TABLE.index(" - 0.75")], "x\n    orientation: 1\n    x: («scale"
    ),
    _table("CV085", "uniform(0.5, 1)", "0.5 + 0.1 * «scale"),
    _shapes("CV086", "cross]", "cross, «blob]"),
    _shapes("CV086", "0.2 * scale", "«0.2 * scale - 0.2"),
    _shapes(
        "CV086", "    orientation: uniform(0, 2 * pi)\n    angle: orientation", "    «orientation: uniform(0, 2 * pi)"
    ),
    _shapes("CV086", "y: uniform(0.3, 0.7)", "y: {levels: «[up, down]}"),
    Fault(
        "CV087",
        GOOD[GOOD.index("graph:") :],
        "graph: {factors: [Smiling], attributes: {first: {readout: latent, index: 0}}}\n"
        "interventions:\n  - {name: smile, input: {factor: «Smiling, set: {to: 'yes'}}}\n",
        ((DATA, "  source: celeba\n  path: celeba\n"),),
    ),
    Fault(
        "CV087",
        GOOD[GOOD.index("graph:") :],
        "graph: {factors: [a], attributes: {first: {readout: latent, index: 0}}}\n"
        "interventions:\n  - {name: move, input: {factor: «a}}\n",
        ((DATA, "  source: scm\n  world: table\n  variables: {a: 3, b: 'uniform(0, 1)'}\n"),),
    ),
    Fault(
        "CV087",
        GOOD[GOOD.index("graph:") :],
        "graph: {factors: [Smiling], attributes: {first: {readout: latent, index: 0}}}\n"
        "mapping: {Smiling: {find: «1}}\ninterventions:\n  - {name: other, input: {set: swap}}\n",
        ((DATA, "  source: celeba\n  path: celeba\n"),),
    ),
    Fault(
        "CV090",
        GOOD[GOOD.index("graph:") :],
        "graph: {attributes: {first: {readout: latent, index: 0}}}\n"
        "mapping: {first: {find: «1}}\ninterventions:\n  - {name: other, input: {set: swap}}\n",
    ),
    Fault("CV088", DATA, "  source: csv\n  path: a.csv\n  inputs: [y1, «x1]\n  factors: {x: {column: x1}}\n"),
    Fault("CV088", DATA, "  source: csv\n  path: a.csv\n  decimal: «','\n"),
    Fault("CV088", DATA, "  source: images\n  path: pictures\n  «factors: [shape, scale]\n"),
    Fault("CV091", MEDIATION, _routed("path: [«input, 'latent[3]']")),
    Fault("CV091", MEDIATION, _routed("edges: [input -> encoder.conv1, encoder.conv1 -> output, «output -> latent]")),
    Fault("CV091", MEDIATION, _routed("edges: [input -> latent, latent -> output, «input -> latent]")),
    Fault("CV091", MEDIATION, _routed("edges: [input -> latent, latent -> output, «input -> output]")),
    Fault(
        "CV091",
        MEDIATION,
        _routed("edges: [input -> encoder.conv1, encoder.conv1 -> latent, «input -> latent, latent -> output]"),
    ),
    Fault(
        "CV091",
        MEDIATION,
        _routed("edges: [input -> latent, latent -> output, «encoder.conv1 -> encoder.conv2, encoder.conv2 -> output]"),
    ),
    Fault("CV091", MEDIATION, _routed("edges: [input -> latent, latent -> output, «latent -> decoder.lin1]")),
    Fault(
        "CV091",
        MEDIATION,
        _routed("edges: «[input -> encoder.a, encoder.a -> encoder.b, encoder.b -> encoder.c, encoder.c -> encoder.b]"),
    ),
    Fault("CV092", MEDIATION, _routed("path: [decoder.lin1, «'latent[3]']")),
    Fault("CV092", MEDIATION, _routed("path: ['latent[3]', «'latent[3]']")),
    Fault("CV092", MEDIATION, _routed("edges: [input -> latent, «latent -> encoder.conv1, encoder.conv1 -> output]")),
    Fault("CV050", MEDIATION, _routed("path: [encoder.conv1, [latent, «'latent[']]")),
    Fault("CV050", MEDIATION, _routed("edges: [input -> latent, «'latent -> decoder[', 'decoder[ -> output']")),
    Fault("CV051", MEDIATION, _routed("path: [encoder.conv1, «$skale]")),
    Fault("CV052", MEDIATION, _routed("path: [encoder.conv1, 'latent[3]', «'latent[12]']")),
    Fault("CV026", MEDIATION, _routed("edges: [input -> latent, «latent]")),
    Fault("CV027", MEDIATION, _routed("path: «[]")),
    Fault("CV027", MEDIATION, _routed("path: [encoder.conv1, «[]]")),
    Fault("CV028", MEDIATION, _routed("mediators: [$scale], path: [latent]").replace("mediation: ", "mediation: «")),
    Fault("CV028", MEDIATION, "    mediation: «{treatment: resize, outcomes: [area]}\n"),
    Fault("CV022", MEDIATION, _routed("control: zero, path: [latent]").replace("mediation: ", "mediation: «")),
    Fault(
        "CV097",
        GOOD[GOOD.index("graph:") :],
        "graph: {factors: [], attributes: {brightness: {readout: mean}}}\n"
        "interventions: [{name: swap, input: {set: swap}}]\n«disentanglement: {}\n",
        ((DATA, "  source: images\n  path: pictures\n"),),
    ),
    Fault(
        "CV074",
        GOOD[GOOD.index("mapping:") :],
        "interventions: [{name: swap, input: {set: swap}}]\n«counterfactuals: {}\n",
    ),
    Fault("CV024", ESTIMATION, ESTIMATION + "counterfactuals: {samples: «8}\n"),
    Fault("CV020", ESTIMATION, ESTIMATION + "counterfactuals: {«sample: 80}\n"),
    Fault("CV024", ESTIMATION, ESTIMATION + "counterfactuals: {at_most: «1.5}\n"),
    Fault(
        "CV056",
        ESTIMATION,
        ESTIMATION
        + "discoveries: {hold: «mean, circuits: [{name: s, treatment: resize, outcome: area, candidates: edges}]}\n",
    ),
    Fault("CV098", ESTIMATION, ESTIMATION + "disentanglement: {scores: [mig, dci, «mig]}\n"),
    Fault("CV098", ESTIMATION, ESTIMATION + "disentanglement: {scores: [mig, irs], «predictor: bagging}\n"),
    Fault("CV023", ESTIMATION, ESTIMATION + "disentanglement: {scores: [«migs]}\n"),
    Fault("CV024", ESTIMATION, ESTIMATION + "disentanglement: {samples: «0}\n"),
    Fault("CV089", DATA, "  source: npz\n  path: a.npz\n  scale: «[1, 0.5]\n"),
    Fault("CV023", "backend: local", "backend: «rays"),
    Fault("CV070", ACTIVATION, _screened("screen: {outcome: «scale}")),
    Fault("CV070", ACTIVATION, _screened("screen: {outcome: «ara}")),
    Fault("CV024", ACTIVATION, _screened("screen: {keep: «1.0}")),
    Fault("CV024", ACTIVATION, _screened("screen: {check: «0}")),
    Fault("CV023", ACTIVATION, _screened("screen: {method: «gradient}")),
)
