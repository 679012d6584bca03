"""Effects with intervals from measured tables; DoWhy stands behind one adapter here."""
