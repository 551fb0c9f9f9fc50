"""Which provider answers: the contract's order of evidence, from configuration down to the shape of the path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from llmslo_exporter.http1 import Headers
from llmslo_exporter.summary import Role, Transport

# wire-formats 11. Names of the GenAI conventions where they exist, else our own.
_HOSTS = {
    "api.openai.com": "openai",
    "eu.api.openai.com": "openai",
    "us.api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.mistral.ai": "mistral_ai",
    "codestral.mistral.ai": "mistral_ai",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "api.together.xyz": "together_ai",
    "api.together.ai": "together_ai",
    "api.fireworks.ai": "fireworks",
    "openrouter.ai": "openrouter",
    "api.replicate.com": "replicate",
    "router.huggingface.co": "hugging_face",
    "api-inference.huggingface.co": "hugging_face",
    "api.cerebras.ai": "cerebras",
    "api.sambanova.ai": "sambanova",
    "api.writer.com": "writer",
    "api.voyageai.com": "voyage_ai",
    "integrate.api.nvidia.com": "nvidia.nim",
    "models.github.ai": "github_models",
    "models.inference.ai.azure.com": "github_models",
    "open.bigmodel.cn": "zhipu_ai",
    "api.z.ai": "zhipu_ai",
    "ollama.com": "ollama",
    "api.aleph-alpha.com": "aleph_alpha",
}
_HOST_PATTERNS = (
    ("*.openai.azure.com", "azure.ai.openai"),
    ("*.cognitiveservices.azure.com", "azure.ai.openai"),
    ("*.services.ai.azure.com", "azure.ai.openai"),
    ("*-aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("aiplatform.*.rep.googleapis.com", "gcp.vertex_ai"),
    ("bedrock-runtime.*.amazonaws.com", "aws.bedrock"),
    ("bedrock-runtime-fips.*.amazonaws.com", "aws.bedrock"),
    ("vpce-*.bedrock-runtime.*", "aws.bedrock"),
    ("runtime.sagemaker.*.amazonaws.com", "aws.sagemaker"),
    ("*.ml.cloud.ibm.com", "ibm.watsonx.ai"),
    ("streaming-api.*.replicate.net", "replicate"),
    ("*.endpoints.huggingface.cloud", "hugging_face"),
    ("dashscope*.aliyuncs.com", "alibaba_cloud"),
)
# In order: a gateway passes its upstream's headers on, and Azure sends OpenAI's too.
_RESPONSE_HEADERS = (
    ("x-litellm-", "litellm"),
    ("apim-request-id", "azure.ai.openai"),
    ("anthropic-", "anthropic"),
    ("x-amzn-bedrock-", "aws.bedrock"),
    ("x-groq", "groq"),
    ("openai-", "openai"),
)
_PATHS = (
    ("/openai/deployments/", "azure.ai.openai"),
    ("/publishers/", "gcp.vertex_ai"),
    (":generateContent", "gcp.gemini"),
    (":streamGenerateContent", "gcp.gemini"),
    (":embedContent", "gcp.gemini"),
    (":countTokens", "gcp.gemini"),
)
# These are matched at their end: OpenAI's paths begin with the same letters.
_PATH_ENDINGS = (
    ("/v1/chat", "cohere"),
    ("/v2/chat", "cohere"),
    ("/v1/messages", "anthropic"),
    ("/api/chat", "ollama"),
    ("/api/generate", "ollama"),
    ("/api/embed", "ollama"),
    ("/api/embeddings", "ollama"),
)
# Wires that only one server speaks, whatever it calls itself: asked after the server.
_NATIVE_PATHS = (
    (re.compile(r"/ml/v1/(?:deployments/[^/]+/)?text/"), "ibm.watsonx.ai"),
    (re.compile(r"/v2/models/[^/]+/(?:versions/[^/]+/)?generate"), "triton"),
    (re.compile(r"/generate(?:_stream)?$"), "tgi"),
    (re.compile(r"/completion$"), "llama_cpp"),
)
_SERVERS = (
    ("vllm", "vllm"),
    ("sglang", "sglang"),
    ("text-generation", "tgi"),
    ("llama.cpp", "llama_cpp"),
    ("llama-server", "llama_cpp"),
    ("llama-cpp", "llama_cpp"),
    ("ollama", "ollama"),
    ("litellm", "litellm"),
    ("triton", "triton"),
)
# Other tools' spellings of the same names, accepted in the configured map.
_SPELLINGS = {
    "az.ai.openai": "azure.ai.openai",
    "azure.openai": "azure.ai.openai",
    "aws.anthropic": "aws.bedrock",
    "gcp.anthropic": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "xai": "x_ai",
    "ibm.watson.ai": "ibm.watsonx.ai",
    "vllm": "vllm",
}
_AZURE_INFERENCE_HOST = ".services.ai.azure.com"
_DEFAULT_PORTS = {Transport.TLS: "443", Transport.PLAIN: "80"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that may tell the provider of one exchange."""

    role: Role
    transport: Transport
    host: str  # the Host field; empty: none
    sni: str
    peer: str
    path: str
    response: Headers
    process: str  # the traced process's name


def known_host(host: str) -> str | None:
    """Return the provider of a public API's host name; None when it is not one."""
    name = host.lower().rstrip(".")
    if name in _HOSTS:
        return _HOSTS[name]
    return next((provider for pattern, provider in _HOST_PATTERNS if fnmatchcase(name, pattern)), None)


def provider_of(evidence: Evidence, provider_map: Mapping[str, str]) -> str:
    """Return the provider by the contract's order: configured, host or SNI, headers, path, server, `openai`."""
    return (
        _configured(evidence, provider_map)
        or _by_host(evidence)
        or next((name for prefix, name in _RESPONSE_HEADERS if evidence.response.has_prefix(prefix)), None)
        or _by_path(evidence.path)
        or _by_server(evidence)
        or next((name for pattern, name in _NATIVE_PATHS if pattern.search(evidence.path.rstrip("/"))), None)
        or "openai"
    )


def _configured(evidence: Evidence, provider_map: Mapping[str, str]) -> str | None:
    if not provider_map:
        return None
    wanted = {key.lower(): provider for key, provider in provider_map.items()}
    host, port = split_host(evidence.host.lower())
    names = [f"{host}:{port or _DEFAULT_PORTS[evidence.transport]}", host, evidence.sni.lower()]
    if evidence.role is Role.CLIENT:  # a server's peer is its client
        names += [evidence.peer.lower(), split_host(evidence.peer.lower())[0]]
    provider = next((wanted[name] for name in names if name and name in wanted), None)
    return None if provider is None else _SPELLINGS.get(provider.lower(), provider)


def split_host(name: str) -> tuple[str, str]:
    """Return host and port (empty: none) of `host`, `host:port`, `[v6]` or `[v6]:port`; brackets stay with the host."""
    host, colon, port = name.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        return name, ""
    return host, port


def _by_host(evidence: Evidence) -> str | None:
    for name in (split_host(evidence.host)[0], evidence.sni):
        provider = known_host(name)
        if provider is not None:
            if name.lower().endswith(_AZURE_INFERENCE_HOST) and evidence.path.startswith("/models/"):
                return "azure.ai.inference"
            return provider
    return None


def _by_path(path: str) -> str | None:
    found = next((provider for part, provider in _PATHS if part in path), None)
    return found or next((provider for ending, provider in _PATH_ENDINGS if path.rstrip("/").endswith(ending)), None)


def _by_server(evidence: Evidence) -> str | None:
    # The traced process is the server only on the server's side.
    process = evidence.process if evidence.role is Role.SERVER else ""
    for text in ((evidence.response.first("server") or "").lower(), process.lower()):
        found = next((provider for word, provider in _SERVERS if word in text), None)
        if found is not None:
            return found
    return None
