"""A code means one thing."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "causalvae"
# The codes of causalvae.spec have a table and tests of their own.
USE = re.compile(r'"(CV[1-5]\d\d)"')


def test_no_code_is_used_by_two_packages() -> None:
    packages: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        package = path.relative_to(PACKAGE).parts[0]
        for code in USE.findall(path.read_text(encoding="utf-8")):
            packages[code].add(package)
    assert len(packages) > 30
    shared = {code: sorted(where) for code, where in packages.items() if len(where) > 1}
    assert not shared
