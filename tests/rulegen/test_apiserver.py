"""PrometheusRules before a real kube-apiserver, where it is built (`make apiserver`)."""

from __future__ import annotations

import pytest

from tests.rules import apiserver, prometheusrules

LACKS = apiserver.lacks()
pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(LACKS is not None, reason=str(LACKS))]


@pytest.fixture(scope="module")
def server():
    with apiserver.started() as found:
        yield found


def test_a_server_takes_every_object(server):
    answers = {path: server.dry_run(text) for path, text in prometheusrules.objects().items()}
    assert {path: answer.text[:500] for path, answer in answers.items() if answer.status_code != 201} == {}
    assert len(answers) > 20


def test_a_server_refuses_what_is_none(server):
    (text, *_) = prometheusrules.objects().values()
    for wrong, why in (("expression:", "unknown field"), ("name: llmslo", "name: Llmslo")):
        found, now = ("expr:", wrong) if why == "unknown field" else (wrong, why)
        assert server.dry_run(text.replace(found, now, 1)).status_code in {400, 422}
