"""Names: the alphabets of what a team calls things, and the nearest known name to a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Sloth's alphabet; a service and an SLO also become file names, so nothing in it leaves a folder.
NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]")
NAME_PATTERN = f"^{NAME.pattern}$"
MAX_NAME = 100  # two of them and an ending still are one file name (255 bytes)
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
LABEL_PATTERN = f"^{LABEL.pattern}$"
ALERT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
ALERT_PATTERN = f"^{ALERT.pattern}$"
WORD = re.compile(r"[A-Za-z0-9_.-]+")  # goes into a matcher of Alertmanager as it is
_FEW = 30  # a longer list helps nobody


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that `wrong` was probably meant to be."""
    from difflib import get_close_matches  # noqa: PLC0415 -- only an error needs it, and every start would pay

    found = get_close_matches(wrong[:MAX_NAME], list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def hint(wrong: str, known: Iterable[str]) -> str:
    """Return what to do about a wrong name: the nearest one, else the list."""
    names = sorted(known)
    near = nearest(wrong, names)
    if near is not None:
        return f"did you mean {near}?"
    return "known: " + ", ".join(names[:_FEW]) + (", ..." if len(names) > _FEW else "")


def camel(name: str) -> str:
    """Return `first-token` as `FirstToken`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[-_.]+", name))
