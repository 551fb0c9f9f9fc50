"""Formats of others that are read as if they were ours: Sloth, Pyrra, OpenSLO."""
