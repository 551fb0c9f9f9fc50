from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from llmslo_exporter import catalog
from llmslo_rulegen import routing
from tests.rules import alertmanager as bed

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not all(map(shutil.which, ("promtool", "amtool", "prometheus-alertmanager"))),
        reason="needs promtool, amtool and prometheus-alertmanager",
    ),
]


OUTAGE, *BURNS = bed.MUST_HOLD


@pytest.mark.parametrize("incident", BURNS, ids=lambda incident: incident.name)
def test_one_burn_is_one_notification_and_one_all_clear(incident):
    heard = bed.notified(incident)
    assert bed.counted(heard) == incident.expected, heard


def test_an_outage_is_one_page_and_one_all_clear_because_prometheus_remembers_who_told():
    instants = bed.fired(OUTAGE)
    example = routing.files([OUTAGE.slo])[bed.EXAMPLE]
    heard = bed.hear(example, instants)
    assert bed.counted(heard) == OUTAGE.expected, heard
    # Inhibition alone forgets the first tier as soon as it ends, and tells the next one anew: this bed would see it.
    of_tiers = [replace(each, alerts=frozenset(filter(is_of_a_tier, each.alerts))) for each in instants]
    assert bed.counted(bed.hear(example, of_tiers))[routing.PAGE][0] > 1


def is_of_a_tier(labels):
    return catalog.TIER in dict(labels)


def test_what_promtool_printed_is_read_with_any_label_value():
    words = 'got: {__name__="ALERTS", alertstate="firing", a="x\\"}, {y", b="\\\\"} 1E+00, {c="d"} 1E+00'
    assert bed.alerts_in(words) == {frozenset({("a", 'x"}, {y'), ("b", "\\")}), frozenset({("c", "d")})}


def test_the_webhook_keeps_what_it_heard():
    with bed.webhook() as there:
        body = {"status": "firing", "alerts": [{"status": "firing", "labels": {"tier": "page_fast"}}]}
        script = (
            "import sys,urllib.request as u; u.urlopen(u.Request(sys.argv[1], sys.stdin.buffer.read()), timeout=10)"
        )
        subprocess.run(
            [sys.executable, "-c", script, there.url("slo-page")],
            input=json.dumps(body).encode(),
            check=True,
            timeout=30,
        )
        heard = there.wait(lambda each: each.receiver == "slo-page", 10)
    assert heard is not None
    assert heard.firing == ({"tier": "page_fast"},)
