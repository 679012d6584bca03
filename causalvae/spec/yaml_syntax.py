"""Explanations of YAML syntax errors."""

from __future__ import annotations

from typing import Any

_OPENED = {
    "flow sequence": ("list", "["),
    "flow mapping": ("mapping", "{"),
}


def explain_syntax(error: Any) -> tuple[int, int, str, str]:
    """Line and column (from 1), message and advice for a ruamel.yaml error."""
    problem = str(error.problem or "")
    context = str(error.context or "")
    mark = error.problem_mark or error.context_mark
    opened = error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    since = f" from line {opened.line + 1}" if opened is not None else ""

    if "'\\t'" in problem or "'\\\\t'" in problem:
        return line, column, "there is a tab where YAML needs spaces", "Indent with spaces."
    if "cannot start any token" in problem:
        char = problem.split("'")[1] if problem.count("'") >= 2 else "this character"
        return line, column, f"a value cannot begin with '{char}'", "Put the value in quotes."
    if "quoted scalar" in context and "end of stream" in problem:
        if opened is not None:
            line, column = opened.line + 1, opened.column + 1
        return line, column, "the quote that opens here is not closed", "Close it on the same line."
    if "mapping values are not allowed" in problem:
        return (
            line,
            column,
            "there is a second ': ' where a value was expected",
            "Put text that holds ': ' in quotes, or check the indentation of this line and the one above.",
        )
    for kind, (noun, bracket) in _OPENED.items():
        if kind in context:
            closing = "]" if bracket == "[" else "}"
            return (
                line,
                column,
                f"the {noun}{since} is not closed before here",
                f"Close it with '{closing}', and put a comma between its entries.",
            )
    if "expected <block end>" in problem:
        return (
            line,
            column,
            f"this line does not fit the block{since}",
            "Indent it like its neighbours; do not mix `- entries` and `key: value` on one level.",
        )
    if "escape" in problem or "hexdecimal" in problem or "hexadecimal" in problem:
        return line, column, "a backslash is followed by nothing that it can escape", "Use single quotes instead."
    if "simple key" in context or "could not find expected ':'" in problem:
        if opened is not None:
            line, column = opened.line + 1, opened.column + 1
        return line, column, "this line is no `key: value`", "Add ': ' and a value, or indent it under its key."
    if "anchor" in context or "alias" in context:
        return line, column, "'&' and '*' begin an anchor or an alias, and no name follows", "Put the text in quotes."
    if "directive" in context or "directive" in problem:
        return line, column, "a line that begins with '%' is a directive, and this one is broken", "Delete the line."
    if "tag" in context or "tag" in problem:
        return line, column, "'!' begins a tag, and tags are not allowed", "Put text that begins with '!' in quotes."
    if "block scalar" in context:
        return line, column, "the text block after '|' or '>' is not laid out as YAML wants", "Indent all of its lines."
    if "expected <document start>" in problem or "document" in context:
        return line, column, "text follows the end of the document", "Write one mapping of `key: value` lines."
    return line, column, "the text is not YAML from here on", "Check brackets, quotes and indentation near this place."
