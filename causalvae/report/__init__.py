"""Reports: HTML, Markdown and JSON renderings of results."""
