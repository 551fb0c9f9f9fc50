"""What rules of others may be made of, by promtool and by the replay: functions, matching, `for`, `keep_firing_for`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmslo_rulegen import promtool
from llmslo_rulegen.backtest.points import Dialect
from llmslo_rulegen.rule import AlertRule, Group, RecordingRule
from llmslo_rulegen.slo import EventFunction, EventsSli
from tests.backtest.agreement import compare_rules
from tests.backtest.cases import GOOD, TOTAL, case
from tests.rules import prometheus3

EXPRESSIONS = (
    f"rate({TOTAL}[3m])",
    f"increase({TOTAL}[7m] offset 1m)",
    f"delta({TOTAL}[5m])",
    f"resets({TOTAL}[20m])",
    f"changes({TOTAL}[20m])",
    f"avg_over_time({TOTAL}[10m])",
    f"max_over_time({TOTAL}[10m]) - min_over_time({TOTAL}[10m])",
    f"count_over_time({TOTAL}[10m])",
    f"sum_over_time((rate({TOTAL}[5m]) > 0.1)[30m:1m])",
    f"last_over_time({TOTAL}[9m:2m])",
    f"max_over_time(rate({TOTAL}[5m])[20m:90s] offset 3m)",
    f"present_over_time({TOTAL}[2m])",
    f"{GOOD} / {TOTAL}",
    f"{TOTAL} - ignoring(model) group_left sum without (model) ({GOOD})",
    f"{TOTAL} * on (instance) group_left (job) up",
    f"sum by (model) ({TOTAL}) > bool 10",
    f"sum(rate({GOOD}[5m])) by (instance) / sum(rate({TOTAL}[5m])) by (instance) < 0.9",
    f"{TOTAL} and on (instance) up == 1",
    f"{TOTAL} unless on (instance) up == 1",
    f"{GOOD} > 100 or {TOTAL}",
    f'absent({TOTAL}{{model="m1",instance=~"host0.*"}})',
    f"count({TOTAL})",
    f"avg by (model) ({TOTAL})",
    f"group by (model) ({TOTAL})",
    f'label_replace({TOTAL}, "host", "h-$1", "instance", "host(.*):1")',
    f"clamp({TOTAL}, 3, 50) + clamp_max({TOTAL}, 7) + clamp_min({TOTAL}, 9)",
    f"vector(scalar(sum({TOTAL})))",
    f"sqrt({TOTAL}) + ln({TOTAL} + 1) + floor({TOTAL} / 7) + ceil({TOTAL} / 7) + abs(-{TOTAL}) + sgn({TOTAL})",
    f"{TOTAL} % 7 + {TOTAL} ^ 0.5",
    f"0 / ({TOTAL} * 0)",
    "vector(time()) + hour() + minute() + day_of_week() + days_in_month() + month() + year() + day_of_month()",
    f"-{TOTAL}",
)
RULES = (
    *(RecordingRule(f"slo:zoo:{place}", text) for place, text in enumerate(EXPRESSIONS)),
    AlertRule("Waits", "up == 0", for_s=300),
    AlertRule("Keeps", f"rate({TOTAL}[5m]) > 0.5", for_s=120, keep_firing_s=360),
    AlertRule("AtOnce", f"{TOTAL} > 20", (("severity", "page"),), keep_firing_s=60),
)


def _case(seed):
    """Return a random case whose series are plain counters."""
    while True:
        found = case(seed)
        if isinstance(found.slo.sli, EventsSli) and found.slo.sli.function is EventFunction.RATE:
            return replace(found, length_s=min(found.length_s, 150 * found.evaluation_s))
        seed += 1


@pytest.mark.skipif(promtool.find() is None, reason="needs promtool")
@pytest.mark.parametrize("seed", [3000, 3040, 3080, 3120])
@pytest.mark.timeout(300)
def test_rules_of_others_are_what_promtool_says(seed):
    found = compare_rules(_case(seed), Group("zoo", RULES))
    assert found.differences == ()
    assert found.values > 50


@pytest.mark.skipif(prometheus3.find("promtool") is None, reason="needs promtool 3: `make prometheus` builds it")
@pytest.mark.timeout(300)
def test_rules_of_others_are_what_prometheus_3_says():
    program = str(prometheus3.find("promtool"))
    assert compare_rules(_case(3000), Group("zoo", RULES), program, Dialect.V3).differences == ()
