"""The command line interface, which calls the public API and prints results."""
