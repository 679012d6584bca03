"""What the alignment found besides, in every report."""

from pathlib import Path

FOUND = (
    "this mapping works: latent[3]",
    "Hidden common cause of x and y",
    "Leak of x into the components of y",
    "Graph learned from observations alone",
    "The graph is better than random relabellings of its nodes",
    "Implied independencies of the data (4,000 distinct samples)",
    "Graphs on the same run",
)


def test_reports_tell_what_was_found_besides(plain_files: dict[str, Path]) -> None:
    page = plain_files["html"].read_text(encoding="utf-8")
    text = plain_files["markdown"].read_text(encoding="utf-8").replace("\\", "")
    for found in FOUND:
        assert found in page
        assert found in text
    assert "no dependence found (n is too small to show independence; 5,000 would be enough)" in page
