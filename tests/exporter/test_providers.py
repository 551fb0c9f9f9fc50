"""Who answers, by the contract's order of evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.http1 import Headers
from llmslo_exporter.providers import Evidence, known_host, provider_of, split_host
from llmslo_exporter.summary import Role, Transport

PLAIN = Evidence(
    Role.CLIENT, Transport.TLS, "gw.corp:8443", "gw.corp", "10.0.0.7:8443", "/v1/completions", Headers(), ""
)


def headers(*names):
    return Headers(tuple((name, "x") for name in names))


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("API.OpenAI.com.", "openai"),
        ("eu.api.openai.com", "openai"),
        ("contoso.openai.azure.com", "azure.ai.openai"),
        ("europe-west4-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
        ("bedrock-runtime-fips.us-east-1.amazonaws.com", "aws.bedrock"),
        ("vpce-0a.bedrock-runtime.us-east-1.vpce.amazonaws.com", "aws.bedrock"),
        ("us-south.ml.cloud.ibm.com", "ibm.watsonx.ai"),
        ("api.groq.com", "groq"),
        ("evil-api.openai.com.example", None),
        ("notapi.groq.com", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_public_hosts_are_known(host, provider):
    assert known_host(host) == provider


def test_evidence_is_asked_in_the_contracts_order():
    evidence = replace(
        PLAIN,
        host="api.groq.com",
        response=headers("openai-version", "apim-request-id"),
        path="/openai/deployments/x/chat/completions",
    )
    assert provider_of(evidence, {"api.groq.com": "mine"}) == "mine"
    assert provider_of(evidence, {}) == "groq"
    assert provider_of(replace(evidence, host="10.0.0.1", sni="api.x.ai"), {}) == "x_ai"
    evidence = replace(evidence, host="gw.corp", sni="")
    assert provider_of(evidence, {}) == "azure.ai.openai"
    assert provider_of(replace(evidence, response=headers("openai-processing-ms")), {}) == "openai"
    assert provider_of(replace(evidence, response=headers("server")), {}) == "azure.ai.openai"
    assert provider_of(replace(evidence, response=Headers((("server", "llama.cpp"),)), path="/v1/completions"), {}) == (
        "llama_cpp"
    )
    assert provider_of(PLAIN, {}) == "openai"


@pytest.mark.parametrize(
    ("key", "found"),
    [("gw.corp", True), ("gw.corp:8443", True), ("GW.corp", True), ("10.0.0.7:8443", True), ("10.0.0.7", True),
     ("gw.corp:443", False), ("other", False)],
)  # fmt: skip
def test_the_configured_map_takes_hosts_with_and_without_port(key, found):
    assert provider_of(PLAIN, {key: "vLLM"}) == ("vllm" if found else "openai")


def test_a_default_port_is_the_transports():
    assert provider_of(replace(PLAIN, host="gw.corp"), {"gw.corp:443": "mine"}) == "mine"
    assert provider_of(replace(PLAIN, host="gw.corp", transport=Transport.PLAIN), {"gw.corp:80": "mine"}) == "mine"


def test_a_servers_peer_and_a_clients_process_tell_nothing():
    assert provider_of(replace(PLAIN, role=Role.SERVER), {"10.0.0.7": "mine"}) == "openai"
    assert provider_of(replace(PLAIN, process="llama-server"), {}) == "openai"
    assert provider_of(replace(PLAIN, process="llama-server", role=Role.SERVER), {}) == "llama_cpp"


@pytest.mark.parametrize(
    ("path", "provider"),
    [("/v1/messages", "anthropic"), ("/api/chat", "ollama"), ("/v2/chat", "cohere"),
     ("/v1beta/models/g:generateContent", "gcp.gemini"),
     ("/v1/projects/p/locations/l/publishers/google/models/g:generateContent", "gcp.vertex_ai"),
     ("/v1/chat/completions", "openai")],
)  # fmt: skip
def test_paths_tell_the_wire(path, provider):
    assert provider_of(replace(PLAIN, path=path), {}) == provider


def test_azures_inference_endpoint_is_told_by_its_path():
    evidence = replace(PLAIN, host="x.services.ai.azure.com")
    assert provider_of(evidence, {}) == "azure.ai.openai"
    assert provider_of(replace(evidence, path="/models/chat/completions"), {}) == "azure.ai.inference"


@pytest.mark.parametrize(
    ("name", "parts"),
    [("h", ("h", "")), ("h:80", ("h", "80")), ("[::1]", ("[::1]", "")), ("[::1]:80", ("[::1]", "80")),
     ("::1", ("::1", "")), ("h:", ("h:", ""))],
)  # fmt: skip
def test_hosts_and_ports(name, parts):
    assert split_host(name) == parts


@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text()))
def test_foreign_text_never_raises(host, sni, path, provider_map):
    provider_of(replace(PLAIN, host=host, sni=sni, path=path, peer=host), provider_map)
