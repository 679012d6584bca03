"""A first spec for a user's own network and data: what can be found out is written, what cannot is to be filled in."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from causalvae.api import open_session
from causalvae.boundary import coded
from causalvae.data.factors import Factor
from causalvae.errors import CausalVAEError
from causalvae.models.readings import MisreadError
from causalvae.models.weights import UNFIT, read_weights, trained_as
from causalvae.session import Session
from causalvae.spec import parse_spec
from causalvae.spec.data_section import DATA
from causalvae.spec.diagnostics import Diagnostic, list_choices
from causalvae.spec.model_section import MODELS
from causalvae.spec.places import BUILTIN
from causalvae.spec.section import NAME_PATTERN

_MOST_COLUMNS: Final = 6
# Attributes of pictures, as sections.
_OF_PICTURES: Final = (
    ("area", "{readout: area}"),
    ("centroid_x", "{readout: centroid, axis: x}"),
    ("centroid_y", "{readout: centroid, axis: y}"),
    ("brightness", "{readout: mean}"),
)
# Names of factors, and the attribute that a factor of this name moves first.
_MOVES: Final = {
    "scale": "area", "size": "area", "x": "centroid_x", "y": "centroid_y", "pos_x": "centroid_x", "pos_y": "centroid_y",
}  # fmt: skip

Keys = dict[str, Any]


@dataclass(frozen=True)
class FirstSpec:
    """A spec that was written for a network and data.

    Parameters
    ----------
    text : str
        With comments.
    session : Session or None
        The spec opened; None where something is to be filled in.
    to_fill : tuple of str
        What is to be filled in, one sentence each.
    diagnostics : tuple of Diagnostic
        What `validate` says of the text.
    """

    text: str
    session: Session | None
    to_fill: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


@coded
def write_first_spec(weights: str, data: str | None, folder: Path, name: str) -> FirstSpec:
    """Write a spec for a network and data, and open it.

    Parameters
    ----------
    weights : str
        ``builtin://NAME``, or the path of weights or of a folder with a network of disentangling-vae, diffusers or
        pythae. They are read without running code.
    data : str or None
        A file or folder that a data source recognises, or the name of a data source that needs no path. None where
        the weights say what they were trained on.
    folder : Path
        The folder of the spec, where its paths start.
    name : str
        The spec's name.

    Raises
    ------
    CausalVAEError
        CV442 for data of an unknown kind, CV443 where no data is given and the weights do not say; and errors of
        reading weights and data.
    """
    section = _data_section(data, folder) if data else {}
    place = weights if weights.startswith(BUILTIN) else _relative(Path(weights), folder)
    if not section and (weights.startswith(BUILTIN) or Path(weights).is_file()):
        section = _trained_data(trained_as(read_weights(place, folder)), folder)
    elif section and Path(weights).is_file() and Path(weights).suffix == ".safetensors":
        section = _as_trained(section, trained_as(read_weights(place, folder)))
    if not section:
        raise CausalVAEError(
            "CV443",
            "The weights do not say what data they were trained on.",
            f"Add --data PATH: {list_choices(_recognised())}.",
            weights,
        )
    refused = []
    for model in _candidates(Path(weights), place):
        try:
            found, session = _read(model, section, folder, name)
        except CausalVAEError as error:
            if error.code not in UNFIT:
                raise
            refused.append(
                (
                    _flow({key: model[key] for key in ("source", "name") if key in model}),
                    f"{error.code} {error.message}",
                )
            )
            continue
        text = _write(name, found, section, session, misread=found is not model)
        return FirstSpec(text, _opened(text, folder), (), parse_spec(text)[1])
    return _template(name, place, section, refused)


def _read(model: Keys, data: Keys, folder: Path, name: str) -> tuple[Keys, Session]:
    """A network opened, and its section: files of weights do not say how posterior and output are read, the data do."""
    try:
        return model, _open(model, data, folder, name)
    except MisreadError as error:
        for more in error.sections:
            found = _merge(model, more)
            try:
                return found, _open(found, data, folder, name)
            except MisreadError:
                continue
        raise


def _merge(model: Keys, more: Keys) -> Keys:
    """A section with further keys; keys of a section within it are added to those that it has."""
    inner = {key: {**model.get(key, {}), **value} if isinstance(value, dict) else value for key, value in more.items()}
    return model | inner


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _data_section(data: str, folder: Path) -> Keys:
    """The section of data that a user names."""
    path = Path(data)
    for kind in DATA.usable():
        if not path.exists():
            needs = (section.is_required() for key, section in kind.model_fields.items() if key != "source")
            if kind.kind == data and not any(needs):
                return {"source": data}
        elif (keys := kind.recognise(path)) is not None:
            return {"source": kind.kind, "path": _relative(path, folder), **keys}
    raise CausalVAEError(
        "CV442",
        "It does not show what kind of data this is." if path.exists() else "There is no such file or data source.",
        f"Give {list_choices((*_recognised(), 'the name of a data source'))} (`causalvae kinds`).",
        data,
    )


def _recognised() -> tuple[str, ...]:
    """The files and folders that data sources recognise, in words."""
    return tuple(kind.recognised for kind in DATA.usable() if kind.recognised)


def _trained_data(trained: Keys, folder: Path) -> Keys:
    """The data that weights of `causalvae train` were trained on; empty where its files are not here."""
    section: Keys = {key: value for key, value in trained.get("data", {}).items() if value not in (None, [], {})}
    where = section.get("path")
    return section if where is None or (folder / str(where)).exists() else {}


def _as_trained(section: Keys, trained: Keys) -> Keys:
    """A section of data, read as training read data of the same source: images of the same size, for example."""
    held: Keys = {key: value for key, value in trained.get("data", {}).items() if value not in (None, [], {})}
    if held.get("source") != section["source"]:
        return section
    kind = DATA.get(str(section["source"]))
    left = set(kind.PLACES)
    left |= {key for key, field in kind.model_fields.items() if key in held and held[key] == field.default}
    # The factors of images are in another file, which is not named here.
    left |= {"factors", "condition"} if "table" in left and "table" not in section else set()
    if Path(str(held.get("path"))).name == Path(str(section.get("path"))).name:
        # The file of training: its factors may be numbers, which look like inputs.
        factors = _factor_columns(held.get("factors", {})) | _factor_columns(section.get("factors", {}))
        listed = factors if any(factors.values()) else list(factors)
        section = section | ({"factors": listed} if factors else {})
    found = section | {key: value for key, value in held.items() if key not in left | set(section)}
    # Sizes: the network takes those of training, whatever the first file has.
    return found | {key: held[key] for key, value in section.items() if type(value) is int and key in held}


def _factor_columns(factors: Any) -> Keys:
    """Factors as a mapping from names to what is declared of them."""
    if isinstance(factors, list):
        return {name: {} for name in factors}
    return {
        name: {key: value for key, value in (held or {}).items() if value is not None} for name, held in factors.items()
    }


def _candidates(path: Path, place: str) -> list[Keys]:
    """Model sections that may fit files, the likeliest first."""
    if place.startswith(BUILTIN):
        return [{"source": "zoo", "weights": place}]
    return [
        {"source": kind.kind, **keys, next(iter(kind.PLACES)): place}
        for kind in reversed(MODELS.usable())
        for keys in kind.recognise(path)
    ]


def _open(model: Keys, data: Keys, folder: Path, name: str) -> Session:
    """Open a network and data, with an attribute that every network has."""
    lines = [*_head(name, model, data, 64), "graph: {attributes: {first_latent: {readout: latent, index: 0}}}"]
    return _opened("\n".join(lines) + "\n", folder)


def _opened(text: str, folder: Path) -> Session:
    from causalvae.spec.diagnostics import SpecError

    spec, diagnostics = parse_spec(text)
    if spec is None:
        raise SpecError(diagnostics)
    return open_session(spec, folder)


def _head(name: str, model: Keys, data: Keys, samples: int) -> list[str]:
    return [
        "# yaml-language-server: $schema=causalvae.schema.json",
        "# `causalvae validate FILE` checks this spec, `causalvae run FILE` runs it. `causalvae schema --out",
        "# causalvae.schema.json` writes the schema that the first line names, for completion in editors.",
        "spec: causalvae/v1",
        f"name: {name}",
        "",
        "# The network, as it was found.",
        f"model: {_flow(model)}",
        "",
        "# The data, and how many samples and counterfactual pairs are drawn.",
        f"data: {_flow(data | {'samples': samples, 'seed': 0})}",
        "",
    ]


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        # Keys may come from the metadata of weights, which anybody may have written.
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    # JSON is YAML; text that needs no quotes gets none.
    plain = isinstance(value, str) and value.replace("_", "").replace("-", "").isalnum() and value[:1].isalpha()
    words = ("null", "true", "false")
    return value if plain and value.lower() not in words else json.dumps(value, ensure_ascii=False)


def _write(name: str, model: Keys, data: Keys, session: Session, misread: bool) -> str:
    # Text that differs in every sample names the samples.
    number = session.dataset.size
    factors = tuple(factor for factor in session.dataset.space.factors if factor.is_continuous or factor.size != number)
    attributes = _attributes(session)
    chosen, outcome = _treatment(factors, attributes)
    head = _head(name, model, data, 256)
    if misread:
        at = head.index("# The network, as it was found.") + 1
        head.insert(
            at, "# It reconstructs the data if it is read like this, and not by default. Check how it was trained."
        )
    lines = [
        *head,
        "# Your causal hypothesis: factors of the data, attributes measured on the decoded output, and edges",
        "# from causes to effects. The report says which of them the data and the network agree with.",
        "graph:",
        *([f"  factors: {_flow([factor.name for factor in factors])}"] if factors else []),
        "  attributes:",
        *(f"    {attribute}: {section}" for attribute, section in attributes.items()),
    ]
    if chosen:
        lines += [
            f"  edges: [{chosen} -> {outcome}]        # add your own",
            "",
            "# The latent of a factor: one is searched for. Or name it: " + f"{chosen}: latent[3]",
            f"mapping: {{{chosen}: {{find: 1}}}}",
        ]
    treatment = f"{{factor: {chosen}}}" if chosen else "{set: swap}"
    named = f"change_{chosen}" if chosen else "another_sample"
    lines += [
        "",
        "interventions:",
        f"  - name: {named}        # " + ("set a factor of the input, hold the others" if chosen else "another input"),
        f"    input: {treatment}",
    ]
    if session.model.components and any(site.name == "latent" and len(site.shape) == 1 for site in session.components):
        lines += [
            "  - name: sweep_latents        # what each latent does to the output",
            "    latent: {components: latent, values: {quantiles: [0.05, 0.5, 0.95]}, pairs: 64}",
        ]
    if chosen:
        lines += [
            "",
            "# Claims that the data can refute. The circuit is what is patched; `$FACTOR` is what the mapping gives.",
            "hypotheses:",
            f"  - name: {chosen.replace('_', '-')}-through-one-latent",
            f"    claim: {chosen} reaches {outcome} through one latent.",
            f"    treatment: {named}",
            f"    circuit: [${chosen}]",
            f"    outcome: {outcome}",
            "    expect: {mediated_share: {at_least: 0.7}}",
        ]
    return "\n".join(lines) + "\n"


def _attributes(session: Session) -> dict[str, str]:
    """Attributes that fit the network's output."""
    shape = session.dataset.input_shape
    if len(shape) == 3:
        return dict(_OF_PICTURES)
    if len(shape) == 1:
        names = session.dataset.columns.names if session.dataset.columns else ()
        found = {}
        for index in range(min(shape[0], _MOST_COLUMNS)):
            name = names[index] if index < len(names) else ""
            if re.fullmatch(NAME_PATTERN, name) and name not in session.dataset.space.names:
                found[name] = f"{{readout: {{column: {_flow(name)}}}}}"
            else:
                found[f"column_{index}"] = f"{{readout: column, index: {index}}}"
        return found
    return dict(_OF_PICTURES[-1:])


def _treatment(factors: tuple[Factor, ...], attributes: dict[str, str]) -> tuple[str, str]:
    """The factor to set and the attribute to measure; empty where no factor can be set."""
    settable = [factor for factor in factors if factor.settable and (factor.is_continuous or factor.size > 1)]
    if not settable:
        return "", ""
    for factor in settable:
        if _MOVES.get(factor.name) in attributes:
            return factor.name, _MOVES[factor.name]
    first = settable[0].name
    return first, next(iter(attributes))


def _reasons(refused: Sequence[tuple[str, str]]) -> list[str]:
    """Comments that say why architectures were refused, those of one reason together."""
    found: dict[str, list[str]] = {}
    for model, reason in refused:
        found.setdefault(" ".join(reason.split()), []).append(model)
    return [
        line
        for reason, models in found.items()
        for line in textwrap.wrap(
            f"{', '.join(models)}: {reason}", 110, initial_indent="#   ", subsequent_indent="#     ",
            break_long_words=False, break_on_hyphens=False,
        )
    ]  # fmt: skip


def _template(name: str, place: str, data: Keys, refused: Sequence[tuple[str, str]]) -> FirstSpec:
    """A spec with a place for the network's class, which no file of weights says."""
    model = {"source": "checkpoint", "weights": place, "factory": "my_network:VAE", "latent_dim": 10}
    head = _head(name, model, data, 256)
    at = head.index("# The network, as it was found.")
    head[at : at + 1] = [
        "# TO FILL IN: `factory` is the module:Class (or module:function) of the network, in a file next to this one;",
        "# `latent_dim` is its number of latents. The spec then runs with --allow-code.",
        *(["# These architectures of the package do not fit the weights:", *_reasons(refused)] if refused else []),
    ]
    lines = [
        *head,
        "graph:",
        "  attributes: {brightness: {readout: mean}}   # TO FILL IN: what is measured on the decoded output",
        "",
        "interventions:",
        "  - {name: another_sample, input: {set: swap}}",
        "  - {name: sweep_latents, latent: {components: latent}}",
    ]
    text = "\n".join(lines) + "\n"
    return FirstSpec(
        text,
        None,
        ("model.factory: the module and class of the network.", "model.latent_dim: its number of latents.",
         "graph.attributes: what is measured on the decoded output."),
        parse_spec(text)[1],
    )  # fmt: skip
