"""Pictures and sounds as HTML that needs no other file."""

from __future__ import annotations

import base64
import binascii

from markupsafe import Markup

from causalvae.report.svg import element
from causalvae.spec.picture import LabelledDatum


def frame(shown: LabelledDatum) -> Markup:
    """A picture with its label below it, and below that a player where there is a sound."""
    kind = "frame is-change" if shown.is_change else "frame"
    return element("div", picture(shown), element("span", shown.label), *player(shown), class_=kind)


def picture(shown: LabelledDatum) -> Markup:
    """The picture of a datum; words where it has none."""
    if not is_base64(shown.datum.png):
        return element("span", "no image")
    return element("img", alt=shown.words, src=f"data:image/png;base64,{shown.datum.png}")


def player(shown: LabelledDatum) -> tuple[Markup, ...]:
    """A player of a datum's sound, where it has one."""
    if not is_base64(shown.datum.wav):
        return ()
    source = f"data:audio/wav;base64,{shown.datum.wav}"
    return (element("audio", "", controls="", preload="none", aria_label=shown.words, src=source),)


def is_base64(text: str) -> bool:
    """Whether there is text, and it is base64."""
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
