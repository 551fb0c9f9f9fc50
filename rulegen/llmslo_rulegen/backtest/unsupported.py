"""What a replay cannot do."""

from __future__ import annotations

from llmslo_rulegen.errors import RulegenError


class UnsupportedError(RulegenError):
    """A rule is of a shape that no replay knows, or asks for what its data cannot tell; the message names it."""
