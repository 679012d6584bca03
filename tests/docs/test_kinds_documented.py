"""Kinds of families with a page by hand are described on it; `docs/kinds.md` lists those of all families."""

from __future__ import annotations

import re

import pytest

from causalvae.spec.analysis import ANALYSES
from causalvae.spec.data_section import DATA
from causalvae.spec.intervention_section import LEVELS
from causalvae.spec.model_section import MODELS
from causalvae.spec.quantity import QUANTITIES
from causalvae.spec.registry import Registry
from tests.docs.pages import ROOT


@pytest.mark.parametrize(
    ("family", "pages"),
    [
        (DATA, ("data", "worlds")),
        (MODELS, ("model-sources",)),
        (LEVELS, ("specs",)),
        (QUANTITIES, ("claims",)),
        (ANALYSES, ("specs",)),
    ],
    ids=lambda value: getattr(value, "noun", ""),
)
def test_every_kind_is_described(family: Registry, pages: tuple[str, ...]) -> None:
    text = "\n".join((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in pages)
    missing = [name for name in family.own if not re.search(rf"\b{name}\b", text)]
    assert not missing, f"describe {', '.join(missing)} in docs/{pages[0]}.md"


def test_sources_that_recognise_paths_say_which() -> None:
    for name in DATA.own:
        kind = DATA.get(name)
        recognises = kind.recognise.__func__ is not DATA.base.recognise.__func__  # type: ignore[attr-defined]
        assert recognises == bool(kind.recognised), (
            f"give {kind.__name__} `recognised`, what `recognise` accepts in words"
        )
