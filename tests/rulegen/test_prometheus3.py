"""The rendered rules and the generated tests on Prometheus 3, where it is built (`make prometheus`)."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from decimal import Decimal

import pytest

from llmslo_exporter import catalog
from llmslo_rulegen import rendering
from llmslo_rulegen.slo import (
    Alerting,
    Calendar,
    CatalogSli,
    HistogramSli,
    Matcher,
    Op,
    Place,
    SlicedSli,
    Slo,
    Window,
)
from tests.rules import prometheus3

LACKS = prometheus3.lacks()
pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(LACKS is not None, reason=str(LACKS))]

ROLE = (Matcher("role", Op.EQUAL, "client"),)
ONE = Slo(
    *("chat", "availability", CatalogSli("availability", catalog.OWN, ROLE), Decimal("99.9"), Window(30 * 86400)),
    *(Alerting("ChatErrors"), Place("slo.yaml", 1)),
)
# One service each, because promtool evaluates every rule of a file in every case.
SLOS = (
    ONE,
    replace(ONE, service="first-token", sli=CatalogSli("ttft", catalog.OWN, ROLE, 2.0), objective=Decimal(95)),
    replace(ONE, service="month", window=Window(31 * 86400, Calendar.MONTH)),
    replace(ONE, service="native", sli=HistogramSli("latency_seconds", 1.0, native=True), objective=Decimal(90)),
    replace(ONE, service="sliced", sli=SlicedSli("queue_length < 10", condition=True), objective=Decimal(99)),
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered")
    for file in rendering.files(SLOS, rendering.Options("0")):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(file.chunks))
    return folder


def promtool(*words):
    command = [prometheus3.find("promtool"), *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_promtool_accepts_every_rule_file_with_every_lint(rendered):
    files = sorted(rendered.glob("**/rules/*.yaml"))
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(files) == 2 * len(SLOS)


@pytest.mark.parametrize("slo", SLOS, ids=lambda slo: slo.service)
def test_generated_tests_pass(rendered, slo):
    reason = next((why for _, why in rendering.untested([slo])), None)
    if reason is not None:
        pytest.skip(f"no test file: {reason}")
    done = promtool("test", "rules", *(rendered / path for path in rendering.test_paths(slo)))
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
