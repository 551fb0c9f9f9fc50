"""What a single value of a spec may be: text in, a value out, or one sentence on what was found, needed and to do.

Each type carries its JSON Schema, so that an editor refuses what the reader refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, NoReturn

from pydantic import PlainValidator, WithJsonSchema

from llmslo_rulegen import durations, names
from llmslo_rulegen.slo import Calendar, Window

LOWEST = Decimal(50)  # below it no page tier can fire: twice the budget is everything
HIGHEST = Decimal("99.99")
NO_BUDGET = "slo/objective-100"
DEFAULT_WINDOW = "30d"
LONGEST_WINDOW_D = 365
LONGEST_SCRAPE_S = 300  # Prometheus forgets a sample after 5 minutes
CALENDAR_DAYS = {Calendar.WEEK: 7, Calendar.MONTH: 31, Calendar.QUARTER: 92}
_MAX_SHOWN = 60
_MAX_EXPONENT = 15
_MAX_EVENTS = 1_000_000
_TEMPLATE = re.compile(r"\{\{.*?\}\}")
_WORDS: dict[object, str] = {True: "true", False: "false", None: "nothing"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a team wrote: seconds where it named a unit of time, else the metric's own unit."""

    value: Decimal
    is_time: bool


def shown(value: object) -> str:
    """Return a value as an error shows it: short and on one line."""
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)[1:-1] if isinstance(value, str) else str(value)
    text = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return f'"{text}"' if isinstance(value, str) else text


class RefusedError(ValueError):
    """What pydantic reports as an error of the value; `check` is its code where it has one of its own."""

    def __init__(self, text: str, check: str | None = None) -> None:
        super().__init__(text)
        self.check = check


def refuse(text: str, check: str | None = None) -> NoReturn:
    """Raise RefusedError."""
    raise RefusedError(text, check)


def _number(value: object) -> Decimal | None:
    """Return a number that can be reckoned with; None for text, for true, for .nan and for 1e999999999."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    found = Decimal(value)
    return found if found.is_finite() and abs(found.adjusted()) <= _MAX_EXPONENT else None


def _whole(value: object) -> int | None:
    """Return a whole number from 0 to a million."""
    found = _number(value)
    return int(found) if found is not None and found == int(found) and 0 <= found <= _MAX_EVENTS else None


def text(value: object) -> str:
    if not isinstance(value, str):
        refuse(f"{shown(value)} is no text: write text, in quotes if it looks like a number")
    return value


def name(value: object) -> str:
    found = text(value)
    if len(found) > names.MAX_NAME:
        refuse(f"the name has {len(found)} characters, at most {names.MAX_NAME} fit a file name: shorten it")
    if not names.NAME.fullmatch(found):
        refuse(
            f"{shown(found)} cannot be a name: it needs two or more of A-Z a-z 0-9 - _ ., a letter or digit at each end"
        )
    return found


def label(value: object) -> str:
    found = text(value)
    if not names.LABEL.fullmatch(found):
        refuse(f"{shown(found)} cannot be a label: it needs letters, digits and _, no digit first")
    if found.startswith("__"):
        refuse(f"{shown(found)} cannot be a label: names that begin with __ are Prometheus' own")
    return found


def fixed(value: object) -> str:
    """Return the value of a static label."""
    found = text(value)
    if not found:
        refuse("an empty value is no label to Prometheus: give it one, or leave the label out")
    if "{{" in found:
        refuse(f"{shown(found)} is a template; labels are fixed here: put it in an annotation")
    return found


def annotation(value: object) -> str:
    found = text(value)
    if found.count("{{") != found.count("}}"):
        refuse(f"{shown(found)} opens and closes {{{{ }}}} unequally often: balance them")
    return found


def url(value: object) -> str:
    """Return a URL, in which `{{ $labels.slo }}` and the like may stand."""
    found = annotation(value)
    bare = _TEMPLATE.sub("", found)
    if not bare.startswith(("https://", "http://")) or any(c.isspace() or not c.isprintable() for c in bare):
        refuse(f"{shown(found)} is no URL: it needs http:// or https:// first and no blanks")
    return found


def alert(value: object) -> str:
    found = text(value)
    if len(found) > names.MAX_NAME or not names.ALERT.fullmatch(found):
        refuse(f"{shown(found)} cannot name an alert: it needs letters, digits and _, a letter first, at most 100")
    return found


def duration(value: object) -> Decimal:
    """Return seconds, more than 0."""
    found = durations.parse(value) if isinstance(value, str) else None
    if found is None:
        refuse(f"{shown(value)} is no duration: write a number and a unit, as 500ms, 30s, 5m, 1h30m, 30d")
    if not found:
        refuse("a duration of 0 measures nothing: give it a length")
    return found


def scrape_interval(value: object) -> int:
    found = duration(value)
    if found != int(found) or not 1 <= found <= LONGEST_SCRAPE_S:
        refuse(f"{shown(value)} cannot be a scrape interval: it needs whole seconds from 1s to 5m")
    return int(found)


def burn_window(value: object) -> int:
    """Return whole seconds."""
    found = duration(value)
    if found % 1:
        refuse(f"{shown(value)} is no whole number of seconds: a burn window is one")
    return int(found)


def window(value: object) -> Window:
    for calendar, days in CALENDAR_DAYS.items():
        if value == calendar.value:
            return Window(days * durations.DAY_S, calendar)
    found = durations.parse(value) if isinstance(value, str) else None
    if found is None:
        refuse(f"{shown(value)} is no window: write days as 30d, or week, month or quarter")
    if found % durations.DAY_S or not 1 <= found / durations.DAY_S <= LONGEST_WINDOW_D:
        refuse(f"{shown(value)} cannot be a window: it needs whole days from 1d to 1y, or week, month or quarter")
    return Window(int(found))


def objective(value: object) -> Decimal:
    """Return percent, exact."""
    found = _number(value)
    if found is None:
        refuse(f"{shown(value)} is no objective: write percent as a number, such as 99.9")
    if found == 100:  # noqa: PLR2004 -- all of it
        refuse(f"100 leaves no budget, so that every burn rate is infinite: write {HIGHEST} or less", NO_BUDGET)
    if LOWEST <= 100 * found <= 100 * HIGHEST and found < 1:
        refuse(f"{found} is a share, percent is needed: write {(100 * found).normalize():f}")
    if not LOWEST <= found <= HIGHEST:
        refuse(f"{shown(value)} is outside of {LOWEST} to {HIGHEST} percent, for which burn alerts are solved")
    return Decimal(f"{found.normalize():f}")


def threshold(value: object) -> Threshold:
    found = _number(value)
    if found is not None:
        if found <= 0:
            refuse(f"{shown(value)} cannot be a threshold: it needs more than 0")
        return Threshold(found, is_time=False)
    if isinstance(value, str) and durations.parse(value) is not None:
        return Threshold(duration(value), is_time=True)
    refuse(f"{shown(value)} is no threshold: write a duration as 500ms or 2s, or a number of tokens per second")


def choices(value: object) -> tuple[str, ...]:
    """Return what a label may be: one text or several."""
    found = value if isinstance(value, list) else [value]
    if not found:
        refuse("an empty list selects nothing: name what is wanted, or leave the label out")
    for one in found:
        if not isinstance(one, str):
            refuse(f"{shown(one)} is no text: label values are text, put it in quotes")
    return tuple(dict.fromkeys(found))


def count(value: object) -> int | None:
    """Return a count of events from 1; None for `auto`."""
    found = None if value == "auto" else _whole(value)
    if value != "auto" and not found:
        refuse(f"{shown(value)} is no least count of bad events: write auto, or a whole number from 1")
    return found


def confidence(value: object) -> float:
    found = _number(value)
    if found is None or not Decimal("0.5") < found < 1:
        refuse(f"{shown(value)} is no confidence: write a number between 0.5 and 1, such as 0.95")
    return float(found)


def factor(value: object) -> float:
    found = _number(value)
    if found is None or not 0 < found <= 10_000:  # noqa: PLR2004 -- a year within an hour is 8 760
        refuse(f"{shown(value)} is no burn factor: write a number above 0, such as 14.4")
    return float(found)


def tier_name(value: object) -> str:
    found = text(value)
    if not names.LABEL.fullmatch(found) or len(found) > names.MAX_NAME:
        refuse(f"{shown(found)} cannot name a tier: it needs letters, digits and _, such as page_fast")
    return found


def _field(check: Callable[[object], object], **schema: object) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(check), WithJsonSchema(dict(schema))


_DURATION = {"type": "string", "pattern": durations.PATTERN}
_NUMBER = {"type": "number", "exclusiveMinimum": 0}
Text = Annotated[str, *_field(text, type="string")]
Name = Annotated[str, *_field(name, type="string", pattern=names.NAME_PATTERN, maxLength=names.MAX_NAME)]
LabelName = Annotated[str, *_field(label, type="string", pattern=names.LABEL_PATTERN)]
LabelValue = Annotated[str, *_field(fixed, type="string", minLength=1)]
Annotation = Annotated[str, *_field(annotation, type="string")]
Url = Annotated[str, *_field(url, type="string", pattern="^https?://")]
AlertName = Annotated[str, *_field(alert, type="string", pattern=names.ALERT_PATTERN, maxLength=names.MAX_NAME)]
TierName = Annotated[str, *_field(tier_name, type="string", pattern=names.LABEL_PATTERN)]
ScrapeInterval = Annotated[int, *_field(scrape_interval, **_DURATION)]
BurnWindow = Annotated[int, *_field(burn_window, **_DURATION)]
WindowField = Annotated[Window, *_field(window, anyOf=[{"enum": [one.value for one in Calendar]}, _DURATION])]
Objective = Annotated[Decimal, *_field(objective, type="number", minimum=float(LOWEST), maximum=float(HIGHEST))]
ThresholdField = Annotated[Threshold, *_field(threshold, anyOf=[_DURATION, _NUMBER])]
Choices = Annotated[
    tuple[str, ...],
    *_field(choices, anyOf=[{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]),
]
Count = Annotated[int | None, *_field(count, anyOf=[{"const": "auto"}, {"type": "integer", "minimum": 1}])]
Confidence = Annotated[float, *_field(confidence, type="number", exclusiveMinimum=0.5, exclusiveMaximum=1)]
Factor = Annotated[float, *_field(factor, **_NUMBER)]
