"""The sources of data, one module each."""
