"""How tests are spread over processes, and what they do not wait for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs start first, since they last longest."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one module share a process, its fixtures and the graphs of its networks; the longest ones do not.

    pytest-xdist 3.8 does the same by the mark `xdist_group`, which has no effect under pytest 9.2: it changes a private
    field that pytest no longer reads.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            return nodeid if module.endswith("test_end_to_end.py") else module

    return ByModule(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session", autouse=True)
def written_without_delay() -> Iterator[None]:
    """No test cuts the power: files need not reach the disk before it goes on, which takes 10 ms for each of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield
