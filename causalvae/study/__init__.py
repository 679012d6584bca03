"""Several runs side by side: networks that a study trains, or networks and data that a comparison is given."""
