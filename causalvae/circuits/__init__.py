"""Hypotheses about circuits, null circuits, and verdicts."""
