"""The small network of the engine's tests."""

from tests.engine.conftest import blobs, mean_model, measure

__all__ = ["blobs", "mean_model", "measure"]
