"""Alertmanager's side, one incident, one notification: routes, grouping and inhibition to paste, and an example.

Alertmanager reads one file and includes none, so a team adds `routes.yaml` to its own `route.routes`,
`inhibit_rules.yaml` to its `inhibit_rules`, and gives its receivers the three names used here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from llmslo_exporter import catalog
from llmslo_rulegen import followers, promql
from llmslo_rulegen.alerts import tiers_of, word
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.tier import Severity
from llmslo_rulegen.yaml_text import dump, rules

FOLDER = "alertmanager"
PAGE, TICKET, NONE = "slo-page", "slo-ticket", "slo-none"
# One page lists every group (model, provider, ...) that burns; `cluster` is the usual external label, and where it is
# missing it is the same for all.
_IDENTITY = ("cluster", catalog.SERVICE_LABEL, catalog.SLO_LABEL)
_OURS, _BURNS = f'{catalog.SLO_LABEL}=~".+"', f'{catalog.TIER}=~".+"'
_PAGE_WAIT_S = 30
_GROUP_INTERVAL_S = 5 * 60
# An incident is told once, not every four hours; five days is how long Alertmanager remembers that it told.
_REPEAT_S = 4 * 86400

_ROUTES_HELP = """\
# Add this list to `route.routes` of your alertmanager.yml, before routes that would take these alerts, and define
# receivers with these names (or put yours here): slo-page wakes somebody, slo-ticket leaves a note, slo-none is empty.
# Prometheus must load alertmanager/rules/*.yaml as well: they tell Alertmanager which tier of an incident was first.
# repeat_interval is long because on-call tools keep an incident open; shorten it if yours does not.
"""
_INHIBIT_HELP = """\
# Add this list to `inhibit_rules` of your alertmanager.yml. `equal` needs every external label by which your
# Prometheus servers differ (here: cluster), or one cluster's page silences another's ticket.
"""
_EXAMPLE_HELP = """\
# A whole alertmanager.yml made of routes.yaml and inhibit_rules.yaml; `amtool check-config` accepts it. Its receivers
# are empty: give slo-page and slo-ticket your webhook_configs, pagerduty_configs, ... with send_resolved: true.
"""


def files(slos: Iterable[Slo]) -> dict[str, str]:
    """Return the text of each file by its path below the output folder; `slos` are all of the rendering."""
    slos = sorted(slos, key=lambda slo: (slo.service, slo.name))
    if not slos:
        return {}
    by_service = defaultdict(list)
    for slo in slos:
        by_service[slo.service].append(slo)
    routed, inhibited = routes(sorted(by_service), _words(slos, Severity.PAGE)), inhibit_rules(slos)
    groups = {service: followers.group(service, members) for service, members in by_service.items()}
    return {
        **{f"{FOLDER}/rules/{service}.yaml": rules([group]) for service, group in groups.items() if group.rules},
        f"{FOLDER}/routes.yaml": _ROUTES_HELP + dump(routed),
        f"{FOLDER}/inhibit_rules.yaml": _INHIBIT_HELP + dump(inhibited),
        f"{FOLDER}/example.yaml": _EXAMPLE_HELP + dump(example(routed, inhibited)),
    }


def _words(slos: Iterable[Slo], severity: Severity) -> list[str]:
    """Return every value of the label `severity` that means this one."""
    return list(dict.fromkeys([severity.value, *sorted(word(slo, severity) for slo in slos)]))


def routes(services: Sequence[str], pages: Sequence[str] = (Severity.PAGE.value,)) -> list[dict[str, object]]:
    """Return the routes of these services' alerts: whose severity is one of `pages` at once, the rest as tickets."""
    return [
        {
            "matchers": [followers.matcher(catalog.SERVICE_LABEL, services), _OURS],
            "receiver": TICKET,
            "group_by": [*_IDENTITY, catalog.KIND],
            "group_wait": promql.duration(followers.TICKET_WAIT_S),
            "group_interval": promql.duration(_GROUP_INTERVAL_S),
            "repeat_interval": promql.duration(_REPEAT_S),
            "routes": [
                {"matchers": [_is(catalog.KIND, catalog.ALREADY_NOTIFIED)], "receiver": NONE},
                {
                    "matchers": [followers.matcher(catalog.SEVERITY, pages)],
                    "receiver": PAGE,
                    "group_wait": promql.duration(_PAGE_WAIT_S),
                },
            ],
        }
    ]


def inhibit_rules(slos: Iterable[Slo]) -> list[dict[str, object]]:
    """Return what silences what: an incident's followers, and its tickets while it pages."""
    slos = list(slos)
    grouped = sorted({label for slo in slos for label in slo.group_by})
    equal = list(dict.fromkeys([*_IDENTITY, *grouped]))
    names = dict.fromkeys(tier.name for slo in slos for tier in tiers_of(slo))
    followed: list[dict[str, object]] = [
        {
            "source_matchers": [_is(catalog.KIND, catalog.ALREADY_NOTIFIED), _is(catalog.MUTES, name)],
            "target_matchers": [_OURS, _is(catalog.TIER, name)],
            "equal": equal,
        }
        for name in names
    ]
    paged: dict[str, object] = {
        "source_matchers": [followers.matcher(catalog.SEVERITY, _words(slos, Severity.PAGE)), _OURS, _BURNS],
        "target_matchers": [followers.matcher(catalog.SEVERITY, _words(slos, Severity.TICKET)), _OURS, _BURNS],
        "equal": equal,
    }
    return [*followed, paged]


def _is(label: str, value: str) -> str:
    return followers.matcher(label, [value])


def example(routed: Sequence[object], inhibited: Sequence[object]) -> dict[str, object]:
    """Return a whole configuration with empty receivers."""
    return {
        "route": {"receiver": NONE, "routes": list(routed)},
        "receivers": [{"name": name} for name in (PAGE, TICKET, NONE)],
        "inhibit_rules": list(inhibited),
    }
