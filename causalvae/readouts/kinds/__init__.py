"""The ways of measuring an attribute, one file each."""
