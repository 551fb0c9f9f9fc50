"""A report for scripts, under the field names of the SLO copilot, whose reports some pipelines read.

Those of its fields that this program has nothing honest for stay empty: no text of a policy is made here (the rules are
`render`'s), and nothing is recommended but what the calls lack.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmslo_rulegen.slo import CatalogSli, Slo
from llmslo_rulegen.verify import gate, shown
from llmslo_rulegen.verify.report import Held, Report, Tested
from llmslo_rulegen.verify.subject import OUT_OF_BOUNDS
from llmslo_rulegen.verify.verdict import Judged, Verdict

SCHEMA_VERSION = "llmslo-verify/v1"
_DAY_S = 86400
_OWN = "promql"  # the metric of an SLI that is no catalog's
_PASSED = {Verdict.MET: True, Verdict.NOT_MET: False}


def record(report: Report, code: int, openslo: Sequence[str]) -> dict[str, object]:
    """Return the report; shares are 0 to 1, `passed` is null where too little is known. `openslo`: files written."""
    baseline = len(report.not_met)
    return {
        "schema_version": SCHEMA_VERSION,
        "slo_candidates": [_slo(one.slo) for one in report.held],
        "baseline_evaluations": [_evaluation(one) for one in report.held],
        "test_results": [_test(one) for one in report.tested],
        "coverage": _coverage(report),
        "telemetry_recommendation": [_lacking(one) for one in report.held if one.slo in report.silent],
        "rca": [_causes(one) for one in report.held if one.verdict is Verdict.NOT_MET],
        "policy_snippets": [],
        "integrations": {"openslo": list(openslo)},
        "future_integrations": [],
        "baseline_failures": baseline,
        "test_failures": len(report.unproven),
        "guardrail_passed": code == gate.FINE,
        "exit_code": code,
    }


def _slo(slo: Slo) -> dict[str, object]:
    sli = slo.sli if isinstance(slo.sli, CatalogSli) else None
    return {
        "name": slo.name,
        "service": slo.service,
        "description": slo.description,
        "labels": dict(slo.labels),
        "target": {
            "metric": sli.name if sli else _OWN,
            "source": sli and sli.source,
            "sli_threshold": sli and sli.threshold,
            "comparator": ">=",
            "threshold": float(slo.objective / 100),
            "window_days": slo.window.seconds // _DAY_S,
        },
        "file": slo.place.file,
        "line": slo.place.line,
    }


def _evaluation(one: Held) -> dict[str, object]:
    worst = one.worst
    return {
        "slo": one.slo.id,
        "passed": _PASSED.get(one.verdict),
        "observed_value": None if worst is None else worst.good_share,
        "threshold": float(one.slo.objective / 100),
        "comparator": ">=",
        "metric": one.slo.sli.name if isinstance(one.slo.sli, CatalogSli) else _OWN,
        "details": {
            "verdict": one.verdict.value,
            "why": one.why,
            "remark": one.remark,
            "bound": shown.bound(one.slo),
            **({} if worst is None else _numbers(worst)),
            "groups": [
                {"labels": dict(zip(one.slo.group_by, group, strict=True)), **_numbers(judged)}
                for group, judged in one.groups.items()
                if one.slo.group_by
            ],
        },
    }


def _numbers(judged: Judged) -> dict[str, object]:
    low, high = judged.good_interval
    return {
        "verdict": judged.verdict.value,
        "events": judged.events,
        "bad": judged.bad,
        "good_share": judged.good_share,
        "good_share_low": low,
        "good_share_high": high,
        "budget_used": judged.budget_used,
    }


def _test(one: Tested) -> dict[str, object]:
    return {
        "name": str(one.fault),
        "kind": one.fault.kind.value,
        "service": one.fault.service,
        "hit": one.hit,
        "passed": None if not one.hit else not (one.missed or one.strays),
        "failed": [slo.id for slo in one.failed],
        "missed": [slo.id for slo in one.missed],
        "strays": [slo.id for slo in one.strays],
        "evaluations": [_evaluation(held) for held in one.held],
    }


def _coverage(report: Report) -> dict[str, object]:
    silent = {slo.id for slo in report.silent}
    every = [one.slo.id for one in report.held]
    return {
        "ratio": (len(every) - len(silent)) / len(every) if every else None,
        "expected": every,
        "observed": [name for name in every if name not in silent],
        "missing": sorted(silent),
        "untested": [slo.id for slo in report.untested],
        "calls": report.calls,
        "services": dict(report.services),
        "sources": dict(report.sources),
        "skipped": {reason.name.lower(): count for reason, count in report.skipped.items()},
    }


def _lacking(one: Held) -> dict[str, object]:
    return {"slo": one.slo.id, "verdict": one.verdict.value, "text": one.why}


def _causes(one: Held) -> dict[str, object]:
    """Return why events were bad: classes of errors, and values out of bounds."""
    named = {reason if reason != OUT_OF_BOUNDS else "out_of_bounds": count for reason, count in one.reasons.items()}
    return {"slo": one.slo.id, "bad_events": dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))}
