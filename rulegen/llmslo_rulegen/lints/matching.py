"""Whether a matcher takes a value, told only where telling is cheap: Python's regexes backtrack, RE2's do not."""

from __future__ import annotations

import re

from llmslo_rulegen import samples
from llmslo_rulegen.slo import Matcher, Op

_MAX_LENGTH = 200
_MAX_REPEATS = 3
_REPEATED_GROUP = re.compile(r"\)[*+?{]")
_REPEAT = re.compile(r"[*+{]")


def is_tame(matcher: Matcher) -> bool:
    """Return whether asking takes no time worth mentioning."""
    if matcher.op in {Op.EQUAL, Op.NOT_EQUAL}:
        return True
    value = matcher.value
    return (
        len(value) <= _MAX_LENGTH and not _REPEATED_GROUP.search(value) and len(_REPEAT.findall(value)) <= _MAX_REPEATS
    )


def refuses(matcher: Matcher, value: str) -> bool:
    """Return whether `matcher` surely does not take `value`."""
    if not is_tame(matcher) or len(value) > _MAX_LENGTH:
        return False
    try:
        return not samples.matches(matcher, value)
    except re.error:  # what only RE2 knows
        return False
