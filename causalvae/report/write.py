"""Reports on disk: each file is there whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from causalvae.errors import CausalVAEError
from causalvae.files import make_folder, write_file
from causalvae.report.fit_results import MOST_JSON, fit_results
from causalvae.report.json_report import FILE_NAME, render_json
from causalvae.results import Results

FILES = {"html": "report.html", "markdown": "report.md", "json": FILE_NAME}


def write_report(results: Results, folder: Path, formats: tuple[str, ...] = tuple(FILES)) -> dict[str, Path]:
    """Write reports into `folder`, which is made where it is missing.

    Parameters
    ----------
    results : Results
        What to tell.
    folder : Path
        Takes ``report.html``, ``report.md`` and ``results.json``.
    formats : tuple of str
        Some of ``html``, ``markdown`` and ``json``.

    Returns
    -------
    dict
        Format -> path of the file, in the order of `formats`.

    Raises
    ------
    CausalVAEError
        CV452 for a format that is none of these.

    Examples
    --------
    >>> import causalvae
    >>> outcome = causalvae.run("specs/compiled_or.yaml")
    >>> list(causalvae.write_report(outcome.results, outcome.folder, ("markdown",)))
    ['markdown']
    """
    unknown = [name for name in formats if name not in FILES]
    if unknown:
        raise CausalVAEError(
            "CV452",
            f"There is no report format {unknown[0]!r}.",
            f"Choose among {', '.join(FILES)}.",
            "report.formats",
        )
    renderers: dict[str, Callable[[], str]] = {}
    if "json" in formats:
        text = render_json(results)
        if len(text.encode()) > MOST_JSON:
            # The pages say the same, also where they are made again from the file.
            results = fit_results(results)
            text = render_json(results)
        renderers["json"] = lambda: text
    if "html" in formats or "markdown" in formats:
        # Only here: a run that writes no page need not load the template engine.
        from causalvae.report.document import build_document
        from causalvae.report.html_report import render_html
        from causalvae.report.markdown_report import render_markdown

        document = build_document(results)
        renderers["html"] = lambda: render_html(document)
        renderers["markdown"] = lambda: render_markdown(document)
    make_folder(folder, below=folder)
    written = {}
    for name in dict.fromkeys(formats):
        path = folder / FILES[name]
        write_file(path, renderers[name]())
        written[name] = path
    return written
