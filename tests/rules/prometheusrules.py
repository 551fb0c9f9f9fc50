"""Rendered PrometheusRules of every kind of SLI, with names and values that a server might not like."""

from __future__ import annotations

from dataclasses import replace

from llmslo_rulegen import api
from llmslo_rulegen.slo import Alerting
from llmslo_rulegen.target import PROMETHEUSRULE, Target
from tests.rules.examples import EXAMPLES, own, slo

ODD = 'a"b\\c\nü: {x} #'


def objects() -> dict[str, str]:
    """Return the text of each object by its path."""
    slos = [replace(one, name=f"s{number}") for number, one in enumerate(EXAMPLES.values())]
    odd = slo(own(), labels=(("note", ODD),), description=ODD, alerting=Alerting("Odd", annotations=(("more", ODD),)))
    slos += [replace(odd, name=name) for name in ("Under_score.Dot", "A" * 100, "x.-y")]
    target = Target(PROMETHEUSRULE, labels=(("role", "alert-rules"), ("example.org/team", "web")))
    found = api.render(slos, target=target)
    return {path: text for path, text in found.items() if path.startswith(PROMETHEUSRULE)}
