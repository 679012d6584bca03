"""What the site adds to docs/ when `make docs` builds it; mkdocs.yml names this file as a hook.

- The README is the home page.
- A link that leads out of docs/, to a spec or a script, leads to a page of the site that shows the file.
- The pages of the Python interface are made from the public names of the package.
- Reports that `make gallery` has written are copied, and linked from the gallery.

Pages in docs/ keep links that work on GitHub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GALLERY = ROOT / "build" / "gallery"
# The folder of the site for what lies outside docs/.
_OUTSIDE = "repository"
_LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s:]+)(?P<rest>#[^)\s]*)?(?=\))")
_SHOWN = {".py": "python", ".yaml": "yaml", ".toml": "toml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    files.append(File.generated(config, "index.md", content=_read(ROOT / "README.md")))
    waiting = [
        (DOCS / file.src_uri, file.content_string) for file in files.documentation_pages() if file.src_uri != "index.md"
    ]
    waiting.append((ROOT / "README.md", _read(ROOT / "README.md")))
    seen: set[Path] = set()
    while waiting:
        place, text = waiting.pop()
        for target in _outside(place, text):
            if target in seen:
                continue
            seen.add(target)
            file = _copy(target, config)
            files.append(file)
            if file.is_documentation_page():
                waiting.append((target / "README.md" if target.is_dir() else target, file.content_string))
    for report in sorted(GALLERY.glob("*.html")):
        files.append(File(f"gallery/{report.name}", str(GALLERY.parent), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links that lead out of docs/ lead to the pages of `on_files`; link the reports of the gallery."""
    place = _source(page.file.src_uri)
    if page.file.src_uri == "gallery.md":
        markdown = re.sub(r"<!-- report: (\S+) -->", _report_link, markdown)

    def lead(match: re.Match[str]) -> str:
        target = _resolve(place, match["path"])
        if target is None or not target.exists():
            return match[0]
        uri = _uri(target)
        if (file := files.get_file_from_path(uri)) is None:
            return match[0]
        return os.path.relpath(file.src_uri, PurePosixPath(page.file.src_uri).parent) + (match["rest"] or "")

    return _LINK.sub(lead, markdown)


def _report_link(match: re.Match[str]) -> str:
    name = match[1]
    made = (GALLERY / f"{name}.html").is_file()
    return f"[Open the report](gallery/{name}.html)" if made else "(`make gallery` makes the report.)"


def _outside(place: Path, text: str) -> Iterator[Path]:
    for match in _LINK.finditer(text):
        target = _resolve(place, match["path"])
        if target is not None and target.exists() and not target.is_relative_to(DOCS):
            yield target


def _resolve(place: Path, link: str) -> Path | None:
    target = (place.parent / link).resolve()
    return target if target.is_relative_to(ROOT) else None


def _source(uri: str) -> Path:
    """Where the links of a page start."""
    if uri == "index.md":
        return ROOT / "README.md"
    if uri.startswith(f"{_OUTSIDE}/"):
        path = ROOT / uri.removeprefix(f"{_OUTSIDE}/")
        return path if path.is_file() else path.with_suffix("")
    return DOCS / uri


def _uri(target: Path) -> str:
    """The name in the site of a file or folder of the repository."""
    if target == ROOT / "README.md":
        return "index.md"
    if target.is_relative_to(DOCS):
        return target.relative_to(DOCS).as_posix()
    name = f"{_OUTSIDE}/{target.relative_to(ROOT).as_posix()}"
    if target.is_dir():
        return f"{name}/index.md"
    return f"{name}.md" if target.suffix in _SHOWN else name


def _copy(target: Path, config: MkDocsConfig) -> File:
    """The page of a file or folder that a page links to."""
    uri, name = _uri(target), target.relative_to(ROOT).as_posix()
    if target.is_dir():
        listed = "".join(
            f"- [{path.relative_to(target).as_posix()}]({path.relative_to(target).as_posix()})\n"
            for path in _files(target)
        )
        return File.generated(config, uri, content=f"# {name}\n\n{listed}")
    if target.suffix in _SHOWN:
        return File.generated(config, uri, content=f"# {name}\n\n````{_SHOWN[target.suffix]}\n{_read(target)}````\n")
    if target.suffix == ".md":
        return File.generated(config, uri, content=_read(target))
    return File.generated(config, uri, abs_src_path=str(target))


def _files(folder: Path) -> list[Path]:
    return [
        path for path in sorted(folder.rglob("*")) if path.suffix in (*_SHOWN, ".md") and not path.name.startswith("_")
    ]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
