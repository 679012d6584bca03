from __future__ import annotations

from pathlib import Path

import pytest

from causalvae.report import write_report
from causalvae.results import Results
from tests.report.synthetic_results import build_results


@pytest.fixture(scope="session")
def plain() -> Results:
    return build_results()


@pytest.fixture(scope="session")
def hostile() -> Results:
    return build_results(hostile=True)


@pytest.fixture(scope="session")
def plain_files(plain: Results, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_report(plain, tmp_path_factory.mktemp("plain"), ("html", "markdown", "json"))


@pytest.fixture(scope="session")
def hostile_files(hostile: Results, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_report(hostile, tmp_path_factory.mktemp("hostile"), ("html", "markdown", "json"))
