"""Traces held against SLOs, and SLOs against faults put into traces."""
