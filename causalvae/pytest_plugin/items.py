"""Hypotheses of specs as tests of pytest."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from causalvae.errors import CausalVAEError
from causalvae.pytest_plugin.names import ALLOW_CODE, RUNS, STRICT
from causalvae.spec.diagnostics import SpecError
from causalvae.spec.loader import OpenedSpec, Point, open_whole
from causalvae.text import visible
from causalvae.trust import allow_code

if TYPE_CHECKING:
    from causalvae.outcome import RunOutcome
    from causalvae.spec.schema import Spec


class InconclusiveWarning(pytest.PytestWarning):
    """A hypothesis that the data neither support nor refute."""


class FailedHypothesisError(Exception):
    """A hypothesis that the network does not keep; its text is the report of the test."""


class SpecFile(pytest.File):
    """A spec; what it holds is run once, when the first of its tests is run."""

    _outcomes: dict[str, RunOutcome | CausalVAEError]
    _opened: OpenedSpec

    def collect(self) -> Iterator[HypothesisItem]:
        """One test for each hypothesis, and for each point where the spec has a grid."""
        self._outcomes = {}
        try:
            self._opened = open_whole(self._shown)
        except SpecError as error:
            raise self.CollectError(error.render()) from None
        for point in self._opened.points or (Point("", self._opened.spec, self._opened.origins),):
            for place, hypothesis in enumerate(point.spec.hypotheses):
                label = f"[{point.label}]" if point.label else ""
                item = HypothesisItem.from_parent(self, name=f"{hypothesis.name}{label}")
                item.spec_file, item.point, item.hypothesis = self, point, hypothesis.name
                item.line = point.origins.root.locate(("hypotheses", place)).line - 1
                yield item

    @property
    def _shown(self) -> str:
        """The path as messages show it."""
        return os.path.relpath(self.path)

    def outcome(self, point: Point[Spec]) -> RunOutcome:
        """The run of the spec at a point of its grid; a run that failed fails each of its tests.

        Raises
        ------
        CausalVAEError
            If the run failed.
        """
        if point.label not in self._outcomes:
            self._outcomes[point.label] = self._run(point)
        found = self._outcomes[point.label]
        if isinstance(found, CausalVAEError):
            raise found
        return found

    def _run(self, point: Point[Spec]) -> RunOutcome | CausalVAEError:
        from causalvae.api import run_spec

        try:
            with allow_code(bool(self.config.getini(ALLOW_CODE))):
                return run_spec(point.spec, self._opened.folder, self._runs(), origins=point.origins)
        except CausalVAEError as error:
            return error

    def _runs(self) -> Path:
        """Where runs are kept; tables of an unchanged network are used again."""
        named = str(self.config.getini(RUNS))
        if named:
            return self.config.rootpath / named
        cache: pytest.Cache | None = getattr(self.config, "cache", None)
        return Path("runs") if cache is None else cache.mkdir("causalvae")


class HypothesisItem(pytest.Item):
    """A hypothesis: passes where it is supported, fails where it is refuted or unspecific."""

    spec_file: SpecFile
    point: Point[Spec]
    hypothesis: str
    line: int

    def runtest(self) -> None:
        """Run the spec, unless that is done, and judge by the hypothesis's verdict."""
        from causalvae.report.verdict_words import reason

        outcome = self.spec_file.outcome(self.point)
        verdict = next(each for each in outcome.results.verdicts if each.hypothesis == self.hypothesis)
        if verdict.status == "supported":
            return
        said = visible(f"{self.hypothesis} is {verdict.status}: {reason(verdict)}")
        if verdict.status == "inconclusive" and not self.config.getini(STRICT):
            warnings.warn(InconclusiveWarning(said), stacklevel=1)
            return
        claim = [f"claim: {visible(verdict.claim)}"] if verdict.claim else []
        pages = [f"report: {path}" for name, path in outcome.reports.items() if name == "html"]
        raise FailedHypothesisError("\n".join((said, *claim, *pages)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The verdict's sentence, or the error with its remedy; a traceback for an error of this package."""
        if excinfo.errisinstance((FailedHypothesisError, CausalVAEError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The line of the hypothesis in the spec."""
        return self.path, self.line, self.name
