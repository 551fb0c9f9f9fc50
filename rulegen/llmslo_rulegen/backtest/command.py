"""The command `backtest`."""

from __future__ import annotations

import argparse
from typing import TextIO

from llmslo_rulegen.errors import RulegenError


def fill(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""


def run(found: argparse.Namespace, out: TextIO) -> int:  # noqa: ARG001 -- not built yet
    """Run the command; return its exit code."""
    msg = "backtest is not built yet"
    raise RulegenError(msg)
