"""Sloth's SLOs: `prometheus/v1` files and `PrometheusServiceLevel` objects (slo-rules 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from llmslo_rulegen import durations, templates
from llmslo_rulegen.foreign import quotient, windows
from llmslo_rulegen.foreign.draft import Draft
from llmslo_rulegen.foreign.node import UNSUPPORTED, Node
from llmslo_rulegen.foreign.windows import Catalog
from llmslo_rulegen.slo import Window
from llmslo_rulegen.tier import Severity

VERSION = "prometheus/v1"
GROUP, KIND = "sloth.slok.dev/v1", "PrometheusServiceLevel"
DEFAULT_DAYS = 30
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_OPEN_STEP = re.compile(r"(\[\s*\{\{\s*\.?\s*window\s*\}\}\s*:)\s*\]")
_ADVICE = "Sloth's plugins are programs in Go, which cannot be run here"
# Plugins whose work the rules do anyway.
_BUILT_IN = {
    "sloth.dev/core/": "part of what every rendering does",
    "sloth.dev/contrib/denominator_corrected_rules/": "budgets are bad over total here, so there is nothing to correct",
    "sloth.dev/contrib/error_budget_exhausted_alert/": "every SLO has such an alert here, at a spent budget",
    "sloth.dev/contrib/validate_victoria_metrics/": "expressions are checked as Prometheus' own",
}


@dataclass(frozen=True, slots=True)
class Words:
    """How the two forms of one thing write their keys."""

    error: str
    total: str
    ratio: str
    page: str
    ticket: str
    plugins: str


_FILE = Words("error_query", "total_query", "error_ratio_query", "page_alert", "ticket_alert", "slo_plugins")
_OBJECT = Words("errorQuery", "totalQuery", "errorRatioQuery", "pageAlert", "ticketAlert", "sloPlugins")


def drafts(top: Node, catalogs: tuple[Catalog, ...], period: Window | None) -> Iterator[Draft]:
    """Yield the SLOs of a document; `period` is what Sloth is told by --default-slo-period."""
    if "apiVersion" not in top:
        yield from _service(top, ("version",), _FILE, catalogs, period)
        return
    if not top.keys("apiVersion", "kind", "metadata", "spec", "status"):
        return
    about = top.at("metadata", "labels")
    if about.value is not None:
        about.changed("labels of the Kubernetes object: give them to `render --format prometheusrule --label`")
    yield from _service(top.at("spec"), (), _OBJECT, catalogs, period)


def _service(
    here: Node, more: tuple[str, ...], words: Words, catalogs: tuple[Catalog, ...], period: Window | None
) -> Iterator[Draft]:
    if not here.keys(*more, "service", "labels", words.plugins, "slos"):
        return
    _plugins(here.at(words.plugins))
    slos = here.at("slos")
    if not isinstance(slos.value, list) or not slos.value:
        slos.error("`slos` is needed as a list of one or more")
        return
    for one in slos.items():
        if one.keys("name", "description", "objective", "labels", "plugins", "sli", "alerting", "interval"):
            draft = Draft(one)
            draft.put("service", here.at("service").needed(), here.at("service"), of=draft.file)
            draft.labels(here.at("labels"))
            _slo(draft, one, words)
            _period(draft, catalogs, period)
            yield draft


def _slo(draft: Draft, one: Node, words: Words) -> None:
    _plugins(one.at("plugins"))
    if "interval" in one:
        one.at("interval").lost("the rules of an SLO are one group, evaluated as often as the server's others")
    draft.put("name", one.at("name").needed(), one.at("name"))
    draft.put("description", one.at("description").text(), one.at("description"))
    # An operator's object may hold the number as text.
    draft.put("objective", _number(one.at("objective")), one.at("objective"))
    draft.labels(one.at("labels"))
    _sli(draft, one.at("sli"), words)
    alerting = one.at("alerting")
    if alerting.value is None:
        return
    if alerting.keys("name", "labels", "annotations", words.page, words.ticket):
        draft.alert_name(alerting.at("name"))
        draft.labels(alerting.at("labels"), of=draft.alerting)
        draft.annotations(alerting.at("annotations"))
        for severity, key in ((Severity.PAGE, words.page), (Severity.TICKET, words.ticket)):
            alert = alerting.at(key)
            if alert.value is not None and alert.keys("disable", "labels", "annotations", "for"):
                if "for" in alert:
                    alert.at("for").lost("a burn alert waits for its windows, for nothing else")
                draft.severity(severity, alert, labels=alert.at("labels"), off=alert.at("disable").flag())


def _number(node: Node) -> object:
    if isinstance(node.value, str):
        try:
            return Decimal(node.value)
        except InvalidOperation:
            return node.value
    if node.value is None:
        node.error("`objective` is missing: add it, in percent")
    return node.value


def _plugins(node: Node) -> None:
    if node.value is None or not node.keys("overridePrevious", "chain"):
        return
    for plugin in node.at("chain").items():
        if not plugin.keys("id", "config", "priority"):
            continue
        name = plugin.at("id").needed()
        why = next((text for prefix, text in _BUILT_IN.items() if name.startswith(prefix)), None)
        if why is None:
            plugin.at("id").lost(f"{name[:80]}: {_ADVICE}")
        else:
            plugin.at("id").changed(f"{name[:80]} is left out: {why}")


def _sli(draft: Draft, sli: Node, words: Words) -> None:
    if sli.value is None:
        sli.error("`sli` is missing: add events or raw")
        return
    if not sli.keys("events", "raw", "plugin"):
        return
    given = [key for key in ("events", "raw", "plugin") if key in sli]
    if len(given) != 1:
        sli.error(f"an SLI is one of events, raw and plugin; found {', '.join(given) or 'nothing'}: keep one")
    elif given == ["plugin"]:
        sli.at("plugin").error(f"{_ADVICE}: let Sloth render the rules and write their query as events", UNSUPPORTED)
    elif given == ["raw"]:
        raw = sli.at("raw")
        if raw.keys(words.ratio):
            query = raw.at(words.ratio)
            quotient.ratio(draft, stepped(query), query)
    elif sli.at("events").keys(words.error, words.total):
        bad, total = sli.at("events", words.error), sli.at("events", words.total)
        draft.sli(bad, bad=stepped(bad), total=stepped(total))
        quotient.groups(draft, stepped(total), total)
        kept = draft.slo.get("group_by")
        quotient.summed(stepped(bad), bad, kept if isinstance(kept, list) else ())


def stepped(node: Node) -> str:
    """Return an expression whose subqueries have a step: Sloth leaves it to the server's evaluation interval."""
    text = node.needed()
    other = _TEMPLATE.search(templates.ANY_WINDOW.sub("", text))
    if other is not None:
        node.error(f"nothing fills {other[0][:60]}, {{{{.window}}}} alone is filled: write what it stands for")
    found, count = _OPEN_STEP.subn(r"\g<1>1m]", text)
    if count:
        node.changed("the step of its subqueries is 1m, not the server's evaluation interval")
    return found


def _period(draft: Draft, catalogs: tuple[Catalog, ...], period: Window | None) -> None:
    days = DEFAULT_DAYS if period is None else period.seconds // durations.DAY_S
    if days != DEFAULT_DAYS:
        draft.put("window", f"{days}d", draft.node)
    windows.apply(draft, catalogs, days)
