"""Levels of an intervention: one folder for each kind that an item of `interventions` may have."""
