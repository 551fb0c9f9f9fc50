"""Lints: one module a question, listed in `every`, explained in docs/lints.md."""
