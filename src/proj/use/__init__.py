"""A model from its checkpoint: measured, applied, exported."""
