"""SVG as escaped strings: the one place where a report's drawings touch markup."""

from __future__ import annotations

from markupsafe import Markup, escape


def element(tag: str, *children: Markup | str, **attributes: object) -> Markup:
    """An SVG element; text children and attribute values are escaped, `Markup` children are taken as they are.

    An attribute's underscores become hyphens, a trailing one is dropped (``class_``), and None omits it.

    Examples
    --------
    >>> str(element("text", "a < b", class_="label", x=1.50))
    '<text class="label" x="1.5">a &lt; b</text>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    inner = "".join(str(escape(child)) for child in children)
    body = f"<{tag}{written}>{inner}</{tag}>" if children else f"<{tag}{written}/>"
    return Markup(body)  # noqa: S704  every part of it was escaped above


def drawing(width: float, height: float, label: str, *children: Markup, class_: str = "drawing") -> Markup:
    """A whole SVG drawing that scales to its column, named `label` for a screen reader."""
    return element(
        "svg",
        element("title", label),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        width=coordinate(width),
        height=coordinate(height),
        role="img",
        aria_label=label,
        class_=class_,
    )


def coordinate(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def shorten(text: str, limit: int) -> str:
    """`text`, cut to `limit` characters with an ellipsis in the middle where it is longer."""
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def _attribute(value: object) -> str:
    text = coordinate(value) if isinstance(value, float) else str(value)
    return str(escape(text))
