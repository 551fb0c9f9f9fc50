"""A real Alertmanager's configuration: the rendered one, with receivers, on a faster clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml

from llmslo_rulegen import durations, routing

TIMERS = ("group_wait", "group_interval", "repeat_interval")


def configuration(rendered: str, url: Callable[[str], str], faster: float) -> str:
    """Return a rendered example with a webhook for each receiver but the empty one; timers divided by `faster`."""
    document = yaml.safe_load(rendered)
    for route in _routes(document["route"]):
        for timer in TIMERS:
            if timer in route:
                route[timer] = _divided(route[timer], faster)
    for receiver in document["receivers"]:
        if receiver["name"] == routing.NONE:
            continue
        receiver["webhook_configs"] = [{"url": url(receiver["name"]), "send_resolved": True}]
    return yaml.safe_dump(document)


def _divided(timer: str, faster: float) -> str:
    seconds = durations.parse(timer)
    if seconds is None:
        msg = f"{timer!r} is no duration"
        raise ValueError(msg)
    return f"{max(1, round(1000 * float(seconds) / faster))}ms"


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for each in route.get("routes", ()):
        yield from _routes(each)
