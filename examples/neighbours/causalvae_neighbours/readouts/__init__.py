"""Ways of measuring an attribute, one file each."""
