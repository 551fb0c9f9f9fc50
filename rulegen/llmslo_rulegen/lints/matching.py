"""Whether a matcher refuses a value, told only where telling is cheap and sure."""

from __future__ import annotations

import re

from llmslo_rulegen import samples
from llmslo_rulegen.slo import Matcher

_MAX_LENGTH = 200


def refuses(matcher: Matcher, value: str) -> bool:
    """Return whether `matcher` surely does not take `value`."""
    if not samples.is_tame(matcher) or len(value) > _MAX_LENGTH:
        return False
    try:
        return not samples.matches(matcher, value)
    except re.error:  # what only RE2 knows
        return False
