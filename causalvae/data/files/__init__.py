"""Data sets in files: official formats, and own tables, arrays and images."""
