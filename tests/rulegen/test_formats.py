"""Every format is what its reader takes: promtool where it can, a schema rebuilt from the published types elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from itertools import product

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llmslo_rulegen import api, converting, reading
from llmslo_rulegen.errors import InputError
from llmslo_rulegen.exports import openslo
from llmslo_rulegen.formats import kubernetes
from llmslo_rulegen.slo import Alerting, EventFunction, EventsSli, Notice
from llmslo_rulegen.target import CONVERSIONS, FORMATS, MIMIR, OPENSLO, PLAIN, PROMETHEUSRULE, THANOS, VMRULE, Target
from llmslo_rulegen.tier import Severity, Tier
from tests.rules import documents as others
from tests.rules import schemas
from tests.rules.backend import lacks, run
from tests.rules.examples import EXAMPLES, own, slo

SLOS = [replace(one, name=re.sub(r"[^a-z0-9]+", "-", name).strip("-")) for name, one in EXAMPLES.items()]
LOADER, DUMPER = (getattr(yaml, f"C{name}", getattr(yaml, name)) for name in ("SafeLoader", "SafeDumper"))
SCHEMAS = {PROMETHEUSRULE: schemas.PROMETHEUSRULE, VMRULE: schemas.VMRULE, MIMIR: schemas.MIMIR, THANOS: schemas.THANOS}


def documents(text):
    return [one for one in yaml.load_all(text, Loader=LOADER) if one is not None]


def valid(schema, document):
    return sorted(error.message for error in Draft202012Validator(schema).iter_errors(document))


@cache
def rules(name, **more):
    """Return the files of a format that hold rules."""
    found = api.render(SLOS, tests=False, pyrra=True, target=Target(name, **more))
    around = ("alertmanager/routes.yaml", "alertmanager/inhibit_rules.yaml", "alertmanager/example.yaml", "runbooks/")
    return {path: text for path, text in found.items() if not path.startswith(around)}


@pytest.mark.parametrize("name", SCHEMAS)
def test_rules_are_what_their_reader_takes(name):
    found = rules(name, namespace="monitoring", labels=(("role", "alert-rules"),))
    assert found
    for path, text in found.items():
        assert [valid(SCHEMAS[name], one) for one in documents(text)] == [[]], path


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_refuses_what_is_no_rule(name):
    (text, *_) = rules(name).values()
    (document,) = documents(text)
    groups = document["spec"]["groups"] if "spec" in document else document["groups"]
    groups[0]["rules"][0]["expression"] = "up"
    assert valid(SCHEMAS[name], document)


def as_plain(text):
    """Return the groups of a file as a rule file of Prometheus: what only the format has is taken off."""
    (document,) = documents(text)
    groups = document["spec"]["groups"] if "spec" in document else document["groups"]
    for group in groups:
        group.pop("partial_response_strategy", None)
    return yaml.dump({"groups": groups}, Dumper=DUMPER)


@pytest.mark.skipif(lacks() is not None, reason=str(lacks()))
@pytest.mark.parametrize("name", [PLAIN, *SCHEMAS])
def test_promtool_takes_the_rules_of_every_format(name, tmp_path):
    paths = []
    for number, text in enumerate(rules(name).values()):
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(text if name == PLAIN else as_plain(text))
    said = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *paths, timeout_s=120)
    assert said.count("SUCCESS") == len(paths)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_rules_of_every_format_are_the_same(name):
    def groups(found):
        return {
            group["name"]: group["rules"] for text in found.values() for group in documents(as_plain(text))[0]["groups"]
        }

    assert groups(rules(name)) == groups(rules(PLAIN))


def test_thanos_is_told_what_a_missing_store_does():
    for strategy in ("abort", "warn"):
        for text in rules(THANOS, partial_response=strategy).values():
            (document,) = documents(text)
            assert {group["partial_response_strategy"] for group in document["groups"]} == {strategy}


def test_a_namespace_of_mimir_is_the_service_or_the_one_that_was_given():
    (text,) = rules(MIMIR).values()
    assert documents(text)[0]["namespace"] == "shop"
    (text,) = rules(MIMIR, namespace="slos").values()
    assert documents(text)[0]["namespace"] == "slos"


@settings(deadline=None)
@given(st.from_regex(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,199}[A-Za-z0-9]", fullmatch=True))
def test_names_of_objects_are_subdomains(name):
    assert re.fullmatch(schemas.DNS_SUBDOMAIN, kubernetes.name("llmslo", name))
    assert re.fullmatch(schemas.DNS_LABEL, openslo.dns(name))


def test_names_that_differ_stay_apart():
    names = ["a-b", "a_b", "A-b", "a.b", "a-.b", "a..b", "a" * 260, "a" * 261]
    assert len({kubernetes.name("llmslo", name) for name in names}) == len(names)


def test_rules_too_large_for_a_configmap_are_refused():
    selector = 'some_total{job="' + "a" * 9_000 + '"}'
    long = f"sum(rate({selector}[{{{{window}}}}]))"
    tiers = tuple(Tier(f"t{n}", Severity.PAGE, 2, 7500 * (n + 1), 660 * (n + 1)) for n in range(8))
    large = slo(EventsSli(long, EventFunction.RATE, bad=long), alerting=Alerting("Large", tiers=tiers))
    with pytest.raises(InputError, match="an operator's ConfigMap takes 512"):
        api.render([large], target=Target(PROMETHEUSRULE))
    assert api.render([large], tests=False)


@pytest.mark.parametrize("name", FORMATS)
def test_a_rendering_is_the_same_every_time(name):
    assert api.render(SLOS, target=Target(name)) == api.render(SLOS[::-1], target=Target(name))


@pytest.mark.parametrize("promise", EXAMPLES.values(), ids=EXAMPLES)
def test_openslo_is_valid_and_refers_to_what_there_is(promise):
    found = documents(api.render([promise], target=Target(OPENSLO))["openslo/shop.yaml"])
    assert [valid(schemas.OPENSLO[one["kind"]], one) for one in found] == [[]] * len(found)
    names = {(one["kind"], one["metadata"]["name"]) for one in found}
    assert len(names) == len(found)
    for one in found:
        spec = one["spec"]
        wanted = [("AlertPolicy", ref["alertPolicyRef"]) for ref in spec.get("alertPolicies", ())]
        wanted += [("AlertCondition", ref["conditionRef"]) for ref in spec.get("conditions", ())]
        wanted += [("AlertNotificationTarget", ref["targetRef"]) for ref in spec.get("notificationTargets", ())]
        assert set(wanted) <= names


@pytest.mark.parametrize(("name", "promise"), list(product(("sloth", "pyrra"), EXAMPLES.values())))
def test_what_is_converted_is_valid(name, promise):
    schema = {"sloth": schemas.SLOTH, "pyrra": schemas.PYRRA}[name]
    for document in documents(converting.convert([promise], name).text):
        assert valid(schema, document) == []


@pytest.mark.parametrize("target", CONVERSIONS)
def test_every_document_of_others_goes_into_every_format(target):
    """What is read of one tool is valid for each other one, and read again."""
    judged = {"sloth": schemas.SLOTH, "pyrra": schemas.PYRRA}
    for family, given_documents in others.FAMILIES.items():
        for name, text in given_documents.items():
            slos = reading.read({"a.yaml": text.encode()}).slos
            found = converting.convert(slos, target)
            assert not [loss for loss in found.changed if loss.key == "all"], (family, name)
            for document in documents(found.text):
                schema = schemas.OPENSLO[document["kind"]] if target == "openslo" else judged.get(target, {})
                assert valid(schema, document) == [], (family, name)


def test_labels_and_names_of_objects_are_said():
    found = rules(PROMETHEUSRULE, namespace="monitoring", labels=(("role", "alert-rules"),))
    (document,) = documents(found["prometheusrule/shop-availability.yaml"])
    assert document["metadata"] == {
        "name": "llmslo.shop-availability",
        "namespace": "monitoring",
        "labels": {"app.kubernetes.io/managed-by": "llmslo-rulegen", "role": "alert-rules"},
    }


def test_own_words_for_severities_are_on_alerts_and_routes():
    words = Alerting("Burns", page=Notice((("severity", "critical"),)))
    found = api.render([slo(own(), alerting=words)], tests=False)
    alerts = [
        rule for group in documents(found["rules/shop.yaml"])[0]["groups"] for rule in group["rules"] if "alert" in rule
    ]
    words = {(rule["labels"]["severity"], rule["labels"]["sloth_severity"]) for rule in alerts}
    assert words == {("critical", "page"), ("ticket", "ticket")}
    (route,) = documents(found["alertmanager/routes.yaml"])[0]
    assert 'severity=~"page|critical"' in route["routes"][1]["matchers"]
