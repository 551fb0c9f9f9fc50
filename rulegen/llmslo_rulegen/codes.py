"""What each code of a finding is about: stable names, for comments that ignore, reports, and docs/lints.md."""

from __future__ import annotations

from llmslo_rulegen import ignores
from llmslo_rulegen.lints.every import LINTS

# Of what is refused, or remarked upon, while files are read and rendered.
READ = {
    "file/read": "a file that cannot be read",
    "file/rules": "a file of --rules that holds no groups",
    "file/alertmanager": "a file of --alertmanager that is no configuration",
    "file/drift": "a rendered file that is not what rendering gives",
    "file/stale": "a rendered file of an SLO that is gone",
    "spec/yaml": "bytes that are no YAML of ours",
    "spec/version": "a version that is not known",
    "spec/shape": "a value of the wrong form",
    "spec/key": "an unknown key",
    "slo/objective-100": "an objective that leaves no budget",
    "slo/duplicate": "two SLOs of one name, or of one file name",
    "slo/sli": "an SLI that the source does not measure",
    "slo/source": "an unknown source",
    "slo/select": "a label or value that cannot be selected, or hardly",
    "slo/role": "both roles at once",
    "slo/bucket": "a threshold off the edges of the histogram's buckets",
    "slo/threshold": "a threshold that is missing, or of the wrong unit",
    "slo/native": "a native histogram where there is none",
    "slo/own-sli": "an own SLI that is not one of the ways to write one",
    "slo/promql": "PromQL that cannot be counted with",
    "slo/group-by": "a label that cannot group",
    "slo/label": "a label that the rules set themselves",
    "slo/low-traffic": "two ways of judging low traffic at once",
    "slo/tier": "two tiers of one name",
    "slo/tests": "an SLO for which no tests are made",
    "convert/shape": "a document of others that is not as its own tool wants it",
    "convert/unsupported": "a document of others that no rules can be made of",
    "convert/lost": "what a document sets and its conversion, or the rules, cannot hold",
    "convert/changed": "what is held in other words than a document of others has it",
    "rule/size": "rules too large for the object that would hold them",
    "rule/promql": "a rendered expression that does not parse",
    "rule/promtool": "rendered rules that promtool refuses, or that it did not see",
}


def titles() -> dict[str, str]:
    """Return what each code is about, in a few words."""
    return READ | ignores.TITLES | {lint.code: lint.title for lint in LINTS}
