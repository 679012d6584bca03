"""Verdicts, and circuits found, on networks whose circuits are known."""
