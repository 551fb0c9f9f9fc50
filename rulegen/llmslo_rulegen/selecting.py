"""From `select` as written to label matchers: exact, `~` for a regular expression, a list for any of."""

from __future__ import annotations

import re

from llmslo_rulegen import templates
from llmslo_rulegen.slo import Matcher, Op

REGEX = "~"
# What RE2's QuoteMeta escapes; Python's re.escape also escapes blanks, which RE2 refuses.
_META = re.compile(r"([\\.+*?()|\[\]{}^$])")


def matcher(label: str, choices: tuple[str, ...]) -> Matcher:
    """Return the one matcher that takes any of `choices`; raise ExpressionError for a wrong regular expression."""
    patterns = [choice.removeprefix(REGEX) for choice in choices if choice.startswith(REGEX)]
    for pattern in patterns:
        templates.regex(pattern)
    if len(choices) == 1:
        return Matcher(label, Op.MATCH, patterns[0]) if patterns else Matcher(label, Op.EQUAL, choices[0])
    return Matcher(label, Op.MATCH, "|".join(_alternative(choice) for choice in choices))


def quoted(text: str) -> str:
    """Return the pattern that takes this text alone."""
    return _META.sub(r"\\\1", text)


def _alternative(choice: str) -> str:
    if not choice.startswith(REGEX):
        return quoted(choice)
    pattern = choice.removeprefix(REGEX)
    return f"(?:{pattern})" if "|" in pattern or pattern.startswith("(?") else pattern
