"""Unmodified clients that also say what they saw: one JSON line an exchange."""
