"""How instrumentations name what a call's span says: OpenTelemetry's three generations, and the vendors' own names.

Names and units: reference tables of the conventions' repositories and of each instrumentation's source, late 2026.
Where several names say the same, the first that is there and not empty counts. Nothing here reads a span: the reader of
spans and the SQL for a table of spans are both made of these tables, so that they cannot differ.
"""

from __future__ import annotations

OPERATION = ("gen_ai.operation.name", "llm.request.type", "openinference.span.kind")
OPERATIONS = {
    "completion": "text_completion",
    "embedding": "embeddings",
    "generateContent": "generate_content",
    "llm": "chat",
}
# Steps of an agent enclose the calls of a model: counting both would count each call twice.
NO_MODEL = (
    *("invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "plan", "search_memory", "create_memory"),
    *("update_memory", "upsert_memory", "delete_memory", "create_memory_store", "delete_memory_store", "retrieval"),
    *("fetch_response", "agent", "tool", "workflow", "task", "chain", "retriever", "guardrail", "evaluator", "prompt"),
)
# Where no operation is named: what makes a span a chat.
CHAT_IF_EQUAL = ("langfuse.observation.type", "generation")
CHAT_IF_ENDS = ("ai.operationId", (".doGenerate", ".doStream"))
CHAT_IF_THERE = ("gen_ai.request.model", "gen_ai.system")
VLLM_SPAN = "llm_request"
VLLM_QUEUE = "gen_ai.latency.time_in_queue"
C_SCHEMA = "/gen-ai/"
B_PROVIDER = "gen_ai.provider.name"

MODEL = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "langfuse.observation.model.name",
    "llm.model_name",
    "ai.model.id",
)
PROVIDER = (B_PROVIDER, "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")
STREAM = ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming", "llm.request.stream")
TRUE, FALSE = ("true", "True", "1"), ("false", "False", "0")
SECONDS_TO_FIRST = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.latency.time_to_first_token",
    "gen_ai.client.time_to_first_token",
)
# openlit has it on every call, with the whole duration on those that are no stream.
SECONDS_TO_FIRST_OF_STREAM = ("gen_ai.server.time_to_first_token",)
MS_TO_FIRST = ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
FIRST_AT = "langfuse.observation.completion_start_time"
CHUNKS = ("gen_ai.content.completion.chunk", "llm.content.completion.chunk", "First Token Stream Event")
PER_TOKEN = ("gen_ai.server.time_per_output_token", "gen_ai.response.time_per_output_token")
INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.promptTokens",
    "ai.usage.inputTokens",
)
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.completionTokens",
    "ai.usage.outputTokens",
)
DETAILS = "langfuse.observation.usage_details"  # JSON with these two members
INPUT_DETAIL, OUTPUT_DETAIL = "input", "output"
FINISH = (
    "gen_ai.response.finish_reasons",
    "gen_ai.response.finish_reason",
    "gen_ai.completion.0.finish_reason",
    "llm.response.finish_reason",
    "ai.response.finishReason",
)
ERROR = "error.type"
STATUS = ("http.response.status_code", "http.status_code", "http.status", "error.status_code", "rpc.grpc.status_code")
ERROR_WORDS = ("error.code", ERROR, "exception.type", "exception.slug", "otel.status_description")
ERROR_EVENT = "exception"

SERVICE = "service.name"
# All that is read of a span: the rest, prompts too, is dropped where it enters.
READ = frozenset(
    (
        *(*OPERATION, *MODEL, *PROVIDER, *STREAM, *SECONDS_TO_FIRST, *SECONDS_TO_FIRST_OF_STREAM, *MS_TO_FIRST),
        *(FIRST_AT, *PER_TOKEN, *INPUT, *OUTPUT, DETAILS, *FINISH, *STATUS, *ERROR_WORDS, VLLM_QUEUE),
        *(CHAT_IF_EQUAL[0], CHAT_IF_ENDS[0], *CHAT_IF_THERE, SERVICE),
    )
)

LONG = 200  # characters: what strangers write at length is no name that is known, and no cache keeps it
# Patterns for whole texts, in the language that Python and RE2 share. What they do not match is no number or word.
NUMBER_PATTERN = r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?"
NUMBER_BOUND = 1e30
STATUS_PATTERN = "[1-9][0-9][0-9]"  # RFC 9110 15
INSTANT_PATTERN = (
    r'"?(20[0-9]{2}-[01][0-9]-[0-3][0-9])[T ]((?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2})(?:\.([0-9]{1,9}))?'
    r'(Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])?"?'
)
FINISH_PATTERN = "[A-Za-z0-9_.:-]{1,40}"
OTHER_FINISH = "other"  # a provider's word that is none
