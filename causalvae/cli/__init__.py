"""The command line: arguments to calls of the public API, printed."""
