"""Whatever spans say, there is a report, it names every SLO once, and nothing in it is a terminal's command."""

from __future__ import annotations

import json
import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen.traces.call import Call, Skipped
from llmslo_rulegen.verify import fault_table, gate, record, report, shown, trial
from llmslo_rulegen.verify.subject import UnverifiableError, subject
from tests.verify import made
from tests.verify.test_fault import faults

TEXTS = st.sampled_from(("chat", "batch", "", "_other", "a\x1b[31mb", "\ud800", "x" * 5000, "é\n", "7"))
SECONDS = st.floats(0, 1e9) | st.sampled_from((0.0, 5e-324, 1e308, 0.02, 5.12))
COUNTS = st.none() | st.integers(0, 1 << 62)
CALLS = st.builds(
    Call,
    st.sampled_from(sorted(catalog.BY_SOURCE)),
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    st.booleans(),
    st.integers(1, (1 << 64) - 1),
    SECONDS,
    st.sampled_from(("", "other", *catalog.OUTCOMES[1:])),
    st.none() | SECONDS,
    st.none() | SECONDS,
    COUNTS,
    COUNTS,
    TEXTS,
)


def every_sli():
    """Return an SLO of each SLI of each source, some of which spans cannot tell."""
    documents = []
    for source in catalog.SOURCES:
        lines = ["version: llmslo/v1", f"service: s-{source.name}", "slos:"]
        for sli in source.slis:
            objective = 90 if sli.objective == 1 else round(100 * sli.objective, 3)
            lines += [f"  - name: {sli.name}", f"    sli: {sli.name}", f"    source: {source.name}"]
            lines += [f"    objective: {objective}"]
        documents.append("\n".join(lines) + "\n")
    return made.slos("---\n".join(documents).replace("service: s-", "service: "))


SLOS = every_sli()


def asked(slo, *, cross_source):
    try:
        return subject(slo, cross_source=cross_source)
    except UnverifiableError as error:
        return str(error)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CALLS | st.sampled_from(Skipped), max_size=30), st.lists(faults(), max_size=3), st.booleans())
def test_any_calls_give_a_report_of_every_slo(found, wanted, cross_source):
    questions = [(slo, asked(slo, cross_source=cross_source)) for slo in SLOS]
    subjects = [one for _, one in questions if not isinstance(one, str)]
    wanted = list(dict.fromkeys([*wanted, *fault_table.every_fault(subjects)]))
    told = report.report(questions, trial.run(found, subjects, wanted, 1))
    assert [held.slo for held in told.held] == list(SLOS)
    text = shown.text(told)
    assert text.replace("\n", "").isprintable()
    as_json = json.loads(json.dumps(record.record(told, gate.code(told, [gate.On.ANY]), ())))
    assert len(as_json["baseline_evaluations"]) == len(SLOS)
    for one in as_json["baseline_evaluations"]:
        value = one["observed_value"]
        assert value is None or (math.isfinite(value) and 0 <= value <= 1)
        assert value is not None or one["details"]["why"]
    assert told.calls + sum(told.skipped.values()) == len(found)
