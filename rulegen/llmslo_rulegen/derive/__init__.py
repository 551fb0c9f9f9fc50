"""SLOs proposed from a baseline, with reasons."""
