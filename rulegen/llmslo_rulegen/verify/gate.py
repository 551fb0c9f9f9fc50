"""When a run of verify stops a deployment, and with which exit code."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from llmslo_rulegen.verify.report import Report


class On(Enum):
    """What to fail on."""

    ANY = "any"
    BASELINE = "baseline"  # an SLO that is not met
    TESTS = "tests"  # a fault that an SLO should have told of and did not, or one that should not have
    NO_DATA = "no-data"  # an SLO of which the calls say nothing
    NEVER = "never"


FINE, BREACH, UNPROVEN, NO_DATA = 0, 4, 5, 6  # 1 to 3 are the command line's own: input, usage, our bug


def code(report: Report, on: Collection[On]) -> int:
    """Return the exit code: of what is found the gravest, so that missing data never hide a breach."""
    if On.NEVER in on:
        return FINE
    is_any = On.ANY in on
    if report.not_met and (is_any or On.BASELINE in on):
        return BREACH
    if report.unproven and (is_any or On.TESTS in on):
        return UNPROVEN
    if (report.silent or not report.calls) and (is_any or On.NO_DATA in on):
        return NO_DATA
    return FINE
