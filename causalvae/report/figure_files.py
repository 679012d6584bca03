"""The drawings of a report as files, at the size of a journal's column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from causalvae.errors import CausalVAEError
from causalvae.files import make_folder, write_file
from causalvae.report.blocks import Figure, OpenedDrawing
from causalvae.report.document import build_document
from causalvae.results import Results
from causalvae.text import visible

COLUMN_MM: Final = 89.0
_SIZE: Final = re.compile(r'(<svg\b[^>]*?) width="[^"]*" height="[^"]*"([^>]*>)')
_BOX: Final = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')
_VARIABLE: Final = re.compile(r"--([a-z-]+)\s*:\s*([^;}]+)")
_USE: Final = re.compile(r"var\(--([a-z-]+)\)")


def write_figures(
    results: Results, folder: Path, width: float = COLUMN_MM, png: bool = False, dpi: int = 300
) -> tuple[Path, ...]:
    """Write each drawing of a report as an SVG file, and as PNG where asked for.

    Parameters
    ----------
    results : Results
    folder : Path
        Takes ``01-NAME.svg`` and so on, in the order of the report.
    width : float
        In millimetres; one column of many journals is 89 wide, two are 183.
    png : bool
        Write PNG files as well; needs ``pip install cairosvg``.
    dpi : int
        Pixels an inch of PNG files.

    Raises
    ------
    CausalVAEError
        CV453 if PNG is asked for and cairosvg cannot be imported.
    """
    render = _png_renderer(dpi) if png else None
    make_folder(folder, below=folder)
    written: list[Path] = []
    for number, (drawing, caption) in enumerate(_drawings(build_document(results)), start=1):
        text = standalone(drawing, width)
        stem = re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")[:50].strip("-")
        path = folder / f"{number:02}-{stem or 'figure'}.svg"
        write_file(path, text)
        written.append(path)
        if render is not None:
            write_file(path.with_suffix(".png"), render(text))
            written.append(path.with_suffix(".png"))
    return tuple(written)


def standalone(drawing: str, width: float) -> str:
    """A drawing of a report as a file of its own: `width` mm wide, with the report's light colours written out."""
    box = _BOX.search(drawing)
    assert box is not None, drawing[:80]  # noqa: S101  every drawing has a box
    height = width * float(box[2]) / float(box[1])
    size, style = f' width="{width:g}mm" height="{height:.2f}mm"', f"<style>{_style(drawing)}</style>"
    # XML has no control characters.
    sized = visible(_SIZE.sub(lambda found: f"{found[1]}{size}{found[2]}{style}", drawing, count=1))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{sized}\n'


@cache
def _rules() -> tuple[tuple[str, str], ...]:
    """Selector and body of the report's rules, one selector each, without variables and rules for screens."""
    text = (resources.files("causalvae.report") / "templates" / "report.css").read_text(encoding="utf-8")
    values = dict(_VARIABLE.findall(text[: text.index("@media")]))
    rest = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}|/\*.*?\*/", "", text, flags=re.S)
    while used := _USE.search(rest):
        rest = rest.replace(used[0], values.get(used[1], "currentColor").strip())
    found = re.findall(r"([^{}]+)\{([^{}]*)\}", rest)
    return tuple((selector.strip(), body) for selectors, body in found for selector in selectors.split(","))


def _style(drawing: str) -> str:
    """The rules that apply within a drawing; its size is its own."""
    names = set(re.findall(r"<([a-z]+)", drawing)) - {"svg"}
    names |= {f".{name}" for names in re.findall(r'class="([^"]*)"', drawing) for name in names.split()}
    kept = [
        f"{selector}{{{body}}}"
        for selector, body in _rules()
        if re.fullmatch(r"[a-z0-9. -]+", selector)
        and set(re.findall(r"\.?[a-z0-9-]+", selector.removeprefix("svg "))) <= names
    ]
    return "text{font-family:sans-serif}\n" + "\n".join(kept).replace("font-family:inherit", "font-family:sans-serif")


def _drawings(value: Any) -> Iterator[tuple[str, str]]:
    """Drawing and caption of each drawing in a document, in its order."""
    if isinstance(value, Figure | OpenedDrawing) and str(value.drawing).startswith("<svg"):
        yield str(value.drawing), value.caption
    elif is_dataclass(value):
        for field in fields(value):
            yield from _drawings(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _drawings(item)


def _png_renderer(dpi: int) -> Any:
    try:
        import cairosvg
    except (ImportError, OSError) as error:
        raise CausalVAEError(
            "CV453",
            f"PNG files need cairosvg, which cannot be imported ({error}).",
            "pip install 'causalvae[figures]', and the library cairo of your system; SVG files need neither.",
        ) from error
    return lambda text: cairosvg.svg2png(bytestring=text.encode(), dpi=dpi, background_color="white")
