"""OpenSLO's time windows: rolling ones in days, calendar ones where ours has the same."""

from __future__ import annotations

import re

from llmslo_rulegen import durations
from llmslo_rulegen.foreign.draft import Draft
from llmslo_rulegen.foreign.node import UNSUPPORTED, Node

_DAYS = {"d": 1, "w": 7, "M": 30, "Q": 90, "Y": 365}  # a rolling month, quarter and year, as OpenSLO's own SDK counts
_UNITS = {"Day": "d", "Week": "w", "Month": "M", "Quarter": "Q"}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([mhdwMQY])")
_START = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9:]{8})")
_UTC = ("UTC", "Etc/UTC", "GMT", "Etc/GMT")
_CALENDARS = {"w": "week", "M": "month", "Q": "quarter"}
_QUARTERS = ("01", "04", "07", "10")


def v1(draft: Draft, windows: Node) -> None:
    """Write the window of a v1 document."""
    found = list(windows.items())
    if len(found) != 1:
        windows.error("`timeWindow` is needed as a list of exactly one")
        return
    one = found[0]
    if not one.keys("duration", "isRolling", "calendar"):
        return
    length = one.at("duration").needed()
    match = _DURATION.fullmatch(length)
    if match is None:
        if length:
            one.at("duration").error(f"`duration` is {length[:60]}: write a number and one of m, h, d, w, M, Q, Y")
        return
    is_rolling = one.at("isRolling").flag(default="calendar" not in one)
    if is_rolling == ("calendar" in one):
        one.error("a window is either rolling or has a calendar: set isRolling accordingly")
    elif is_rolling:
        _rolling(draft, one.at("duration"), int(match[1]), match[2])
    else:
        _calendar(draft, one, int(match[1]), match[2])


def alpha(draft: Draft, windows: Node) -> None:
    """Write the window of a v1alpha document."""
    found = list(windows.items())
    if len(found) != 1:
        windows.error("`timeWindows` is needed as a list of exactly one")
        return
    one = found[0]
    if not one.keys("unit", "count", "isRolling", "calendar"):
        return
    unit, count = one.at("unit").one_of("Second", *_UNITS), one.at("count").number()
    if unit is None or count is None or count != int(count) or count < 1:
        one.error("a window needs a unit (Day, Week, ...) and a whole count")
    elif unit == "Second":
        seconds = int(count)
        if seconds % durations.DAY_S:
            one.error("a window is needed as whole days")
        else:
            draft.put("window", f"{seconds // durations.DAY_S}d", one)
    elif "calendar" in one:
        _calendar(draft, one, int(count), _UNITS[unit])
    else:
        _rolling(draft, one, int(count), _UNITS[unit])


def _rolling(draft: Draft, node: Node, count: int, unit: str) -> None:
    if unit not in _DAYS:
        node.error(f"a window of {count}{unit} is too short for a budget: write whole days", UNSUPPORTED)
        return
    if unit in "MQ":
        node.changed(f"a rolling {'month is 30' if unit == 'M' else 'quarter is 90'} days")
    draft.put("window", f"{count * _DAYS[unit]}d", node)


def _calendar(draft: Draft, one: Node, count: int, unit: str) -> None:
    """Write a calendar window, if it is one of ours: one week from Monday, month or quarter, in UTC."""
    calendar = one.at("calendar")
    if not calendar.keys("startTime", "timeZone"):
        return
    zone, start = calendar.at("timeZone").needed(), calendar.at("startTime").needed()
    match = _START.fullmatch(start)
    if match is None:
        if start:
            calendar.at("startTime").error(f"`startTime` is {start[:60]}: write YYYY-MM-DD HH:MM:SS")
        return
    _, month, day, time = match.groups()
    begins = time == "00:00:00" and {
        "w": _is_monday(match),
        "M": day == "01",
        "Q": day == "01" and month in _QUARTERS,
    }.get(unit, False)
    if zone not in _UTC or count != 1 or not begins:
        text = (
            "calendar windows are one week from Monday, one month or one quarter from January, in UTC: write such a one"
        )
        calendar.error(f"{count}{unit} from {start[:40]} {zone[:40]} is not supported: {text}", UNSUPPORTED)
        return
    draft.put("window", _CALENDARS[unit], one)


def _is_monday(match: re.Match[str]) -> bool:
    from datetime import date  # noqa: PLC0415 -- one calendar in a thousand needs it

    try:
        return date(int(match[1]), int(match[2]), int(match[3])).isoweekday() == 1
    except ValueError:
        return False
