"""One self-contained page of a replay: a timeline and tables; nothing is loaded from anywhere, all text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import jinja2

from llmslo_rulegen import promql
from llmslo_rulegen.backtest import shown, timeline
from llmslo_rulegen.backtest.trial import Result

_TEMPLATE = Path(__file__).with_name("page.html.j2")


def html(results: Sequence[Result]) -> str:
    """Return the page; the same results give the same text."""
    return _template().render(results=results)


@lru_cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"timeline": timeline.timeline, "left": timeline.LEFT, "width": timeline.WIDTH}
    environment.filters |= {
        "instant": shown.instant,
        "length": shown.length,
        "share": shown.share,
        "group": shown.group,
        "number": promql.number,
        "summary": shown.summary,
        "window": shown.window,
    }
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
