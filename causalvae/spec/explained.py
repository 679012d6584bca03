"""What each code of a spec's diagnostics means, with a bad and a good example."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from causalvae.spec.codes import CODES


@dataclass(frozen=True)
class Explanation:
    """A code explained.

    Parameters
    ----------
    code : str
    title : str
        In a few words.
    meaning, remedy : str
        In sentences, with code in backquotes.
    example : str
        Short examples.
    good, bad : str
        Lines of a spec without and with the fault; empty where the fault is of no line.
    spec : str
        A whole spec with the good lines.
    faulty : str
        The same with the bad lines, or a file that has the fault as a whole; empty where the fault is of no text.
    """

    code: str
    title: str
    meaning: str
    remedy: str
    example: str
    good: str = ""
    bad: str = ""
    spec: str = ""
    faulty: str = ""


@cache
def explanations() -> dict[str, Explanation]:
    """The explanation of each code, in the order of codes."""
    from ruamel.yaml import YAML

    package = resources.files("causalvae.spec")
    base = package.joinpath("example.yaml").read_text(encoding="utf-8")
    written = YAML(typ="safe", pure=True).load(package.joinpath("explained.yaml").read_text(encoding="utf-8"))
    return {code: _explain(code, written[code], base) for code in CODES}


def _explain(code: str, entry: dict[str, Any], base: str) -> Explanation:
    words = (entry["meaning"], entry["remedy"], entry["example"])
    if "good" not in entry:
        return Explanation(code, CODES[code], *words, faulty=entry.get("file", ""))
    for change in entry.get("context", ()):
        base = base.replace(change["old"], change["new"], 1)
    good, bad = entry["good"], entry["bad"]
    return Explanation(code, CODES[code], *words, good, bad, base, base.replace(good, bad, 1))
