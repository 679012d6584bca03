"""The answer of a comparison or a study."""

from __future__ import annotations

from causalvae.report.blocks import Answer
from causalvae.study.types import StudyResults


def study_answer(study: StudyResults) -> Answer:
    """What was found, and how certain it is."""
    return Answer((), ())
