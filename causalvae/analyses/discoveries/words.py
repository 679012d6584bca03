"""What was found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from ruamel.yaml import YAML

from causalvae.analyses.discoveries.findings import Discovery, join_units
from causalvae.analyses.discoveries.motifs import OUTCOME, Motif
from causalvae.analyses.discoveries.stability import STABLE_FROM
from causalvae.circuits.types import Part
from causalvae.models.components import ComponentRef
from causalvae.report.numbers import format_fixed, format_interval, p_words, percent
from causalvae.report.verdict_words import name_circuit

SCORE_WORDS = {
    "single": "exact effects alone",
    "removal": "exact effects of removal",
    "attribution": "attribution",
    "integrated_gradients": "integrated gradients",
    "relp": "relevance",
}
_CANDIDATES = {"latents": "latent", "channels": "channel", "units": "unit", "edges": "edge"}
_HELD = {
    "interchange": "in the base run",
    "mean": "averaged over base runs",
    "resample": "in the base run of another pair",
}
# Units of one address, so that its line fits a terminal.
_PER_LINE = 8
_ENDLESS = 1_000_000


def candidate_words(found: Discovery, count: int) -> str:
    """A number of candidates: ``3 channels``."""
    noun = _CANDIDATES[found.candidates]
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def headline(found: Discovery) -> str:
    """What was found, in one sentence with its number on the pairs that it was not found on."""
    size = len(found.circuit)
    share = format_interval(found.share.value, found.share.lower, found.share.upper)
    named = f" ({name_circuit(join_units(found.circuit))})" if 0 < size <= _PER_LINE else ""
    verb = "carries" if size == 1 else "carry"
    return (
        f"{candidate_words(found, size)} of {found.total:,}{named} {verb} {share} of the effect of {found.treatment} "
        f"on {found.outcome}."
    )


def alike_words(found: Discovery) -> str:
    """How many circuits do as well on the pairs that were searched, and which were tried; empty of an empty circuit."""
    size, most = len(found.circuit), found.equivalents_to
    if not size:
        return ""
    if found.equivalents_how == "all":
        tried = f"every set of up to {most} was tried"
    else:
        tried = f"each member was exchanged for {most} others, the best first; sets of another size were not searched"
    if found.alike > 1:
        text = f"{found.alike} equivalent circuits of {size}"
    elif found.equivalents_how == "all" and most < size:
        text = f"it is not known whether another circuit of {size} does as well"
        tried += ", larger sets were not searched"
    else:
        text = f"no other circuit of {size} does as well"
    beside = [
        f"; {count} {than} minimal {'one' if count == 1 else 'ones'}"
        for than, count in (("smaller", found.smaller), ("larger", found.larger))
        if count
    ]
    return f"On the pairs of the search, {text} ({tried}){''.join(beside)}."


def empty_words(found: Discovery) -> str:
    """That an empty circuit has no verdict and no hypothesis; empty of any other."""
    if found.circuit:
        return ""
    return (
        "The circuit is empty: the target is met by the part of the effect that passes no candidate. So there is "
        "nothing to claim, no verdict and no hypothesis."
    )


def past_words(found: Discovery) -> str:
    """What flows past the candidates, and what they carry by themselves; empty of edges, which nothing passes by."""
    if found.edges:
        return ""
    past = format_interval(found.past.value, found.past.lower, found.past.upper)
    alone = format_interval(found.alone.value, found.alone.lower, found.alone.upper)
    return f"Past all candidates: {past}. All candidates changed in the base run: {alone}."


def held_words(found: Discovery) -> str:
    """How circuits were run."""
    others = "edges carry their sources' values" if found.edges else "candidates are held at their values"
    text = (
        f"A circuit is run on the changed input while all other {others} {_HELD[found.hold]}; its share "
        "is Σ NIE·TE / Σ TE². It was searched for on "
        f"{found.pairs_searched:,} pairs and tested on {found.pairs_tested:,} others."
    )
    if found.edges and found.claimed is not None:
        text += " A mediation along these edges measures the same."
    elif not found.is_one_site and found.claimed is not None:
        claimed = format_interval(found.claimed.value, found.claimed.lower, found.claimed.upper)
        text += (
            " A hypothesis patches the circuit in the base run and holds nothing, so what lies downstream of a member "
            f"follows it: its share is then {claimed}."
        )
    return text


def stable_words(found: Discovery) -> str:
    """How many of the members are found on most halves of the pairs; empty of an empty circuit."""
    if not found.circuit:
        return ""
    if not found.halves:
        return "Stability was not measured."
    members = [member for member in found.members if member.in_circuit]
    stable = sum(member.is_stable for member in members)
    others = sum(member.is_stable for member in found.members if not member.in_circuit)
    more = f", and {others} that are not in it" if others else ""
    verb = "member is" if len(members) == 1 else "members are"
    rule = f"found on at least {percent(STABLE_FROM)} of {found.halves} halves of the pairs"
    return f"{stable} of {len(members)} {verb} stable ({rule}){more}."


def motif_words(found: Discovery, motif: Motif) -> str:
    """A motif with its members and the number that shows it."""
    names = [label(found, member) for member in motif.members]
    number = format_interval(motif.shown.value, motif.shown.lower, motif.shown.upper)
    match motif.kind:
        case "redundant":
            return f"redundant pair: {' or '.join(names)}, each alone is enough (interaction {number})"
        case "synergistic":
            return f"synergistic pair: {' and '.join(names)}, only together (interaction {number})"
        case "inhibitory":
            return f"inhibitory member: without {names[0]} the share rises by {number}"
        case "chain":
            return f"chain: {' → '.join(names)} (weakest edge {number})"
        case "broadcast":
            return f"broadcast: {names[0]} → {_listed(names[1:])} (weakest edge {number})"
        case "convergence":
            return f"convergence: {_listed(names[:-1])} → {names[-1]} (weakest edge {number})"
        case "hub":
            return f"hub: {names[0]}, several edges in and several out (weakest {number})"


def label(found: Discovery, member: int) -> str:
    """A member of a motif as an address, or the outcome."""
    return found.outcome if member == OUTCOME else found.motif_members[member].label


def module_words(found: Discovery) -> str:
    """The communities of members, against rewirings."""
    modules = found.modules
    if modules is None:
        return "Too few edges between members to find modules."
    sizes = ", ".join(str(len(community)) for community in modules.communities)
    return (
        f"{len(modules.communities)} modules of {sizes} members: modularity {format_fixed(modules.modularity, 2)}, "
        f"{format_fixed(modules.expected, 2)} in {modules.rewirings} rewirings with the same degrees "
        f"({p_words(modules.p_value)})."
    )


def _listed(names: Sequence[str], most: int = 4) -> str:
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return ", ".join(names)


def can_be_pasted(found: Discovery) -> bool:
    """Whether a spec can state the circuit; see `causalvae.analyses.discoveries.edge_routes` for edges."""
    return bool(found.circuit) and found.claimed is not None


def section_words(found: Discovery) -> str:
    """The section of a spec that the circuit is pasted into."""
    return "interventions" if found.edges else "hypotheses"


def hypothesis_text(found: Discovery, in_one_line: bool = False) -> str:
    """The found circuit as an entry of a spec's `hypotheses`, in YAML; of edges, of its `interventions`."""
    entry: dict[str, object]
    if found.edges:
        edges = [part.label for part in found.circuit]
        mediation = {"treatment": found.treatment, "edges": edges, "outcomes": [found.outcome]}
        entry = {"name": found.name, "mediation": mediation}
    else:
        entry = {
            "name": found.name,
            "claim": f"Found as the smallest circuit for {found.treatment} and {found.outcome}.",
            "treatment": found.treatment,
            "circuit": [address for part in join_units(found.circuit) for address in _addresses(part)],
            "outcome": found.outcome,
            "expect": {"mediated_share": {"at_least": found.target}},
        }
    writer, text = YAML(), StringIO()
    writer.width = 72
    if in_one_line:
        writer.width, writer.default_flow_style = _ENDLESS, True
        writer.dump(entry, text)
        return f"- {text.getvalue().strip()}"
    writer.dump([entry], text)
    return text.getvalue()


def _addresses(part: Part) -> list[str]:
    units = part.units or ()
    parts = [units[first : first + _PER_LINE] for first in range(0, len(units), _PER_LINE)]
    return [ComponentRef(part.site, some, part.window).label for some in parts]
