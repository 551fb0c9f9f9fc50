import pytest

from llmslo_rulegen.traces import genai, text
from llmslo_rulegen.traces.call import Call
from llmslo_rulegen.traces.span import Event, Span
from tests.baseline import mixed

BEGIN_NS = 1_700_000_000_000_000_000
TYPED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": 5,
    "gen_ai.system": "OpenAI",
    "gen_ai.request.stream": True,
    "gen_ai.usage.output_tokens": 41,
    "gen_ai.usage.input_tokens": 1000.0,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.response.finish_reasons": ["stop", "length"],
    "http.response.status_code": 429,
}


def call(attributes, *, is_error=False, message="", events=()):
    found = genai.read(Span("s", "x", BEGIN_NS, BEGIN_NS + 10**9, attributes, is_error, message, events))
    assert isinstance(found, Call)
    return found


def test_a_span_says_the_same_where_all_values_are_text():
    assert call(TYPED, is_error=True) == call({name: text.text(value) for name, value in TYPED.items()}, is_error=True)


def test_typed_spans_say_what_their_texts_say():
    """10,000 spans of all styles, whole and broken, as a file has them and as a store of texts has them."""
    for found in mixed.spans(10_000, 11):
        events = [Event(at_ns, name, held) for at_ns, name, held in found.events]
        texts = [Event(at_ns, name, as_texts(held)) for at_ns, name, held in found.events]
        head = (found.service, found.name, found.start_ns, found.end_ns)
        tail = (found.is_error, found.message)
        typed = genai.read(Span(*head, found.attributes, *tail, events, found.scope))
        assert typed == genai.read(Span(*head, as_texts(found.attributes), *tail, texts, found.scope)), found


def as_texts(held):
    return {name: mixed.go_text(value) for name, value in held.items()}


def test_an_empty_text_is_as_if_it_were_not_there():
    found = call({"gen_ai.request.model": "", "gen_ai.response.model": "gpt", "gen_ai.system": "x", "error.type": ""})
    assert (found.model, found.error) == ("gpt", "")


@pytest.mark.parametrize("value", ["\u00b2", "9" * 5000, 10**400, "4 29", True, [429], ""])
def test_a_status_that_is_none_leaves_the_words(value):
    found = call({"gen_ai.system": "x", "http.status_code": value, "error.type": "openai.RateLimitError"})
    assert found.error == "rate_limited"


@pytest.mark.parametrize("value", ["9" * 5000, 10**400, "1_000", " 5", "nan", "inf", "1e999", -1, "", [5], True])
def test_what_is_no_number_is_none(value):
    assert call({"gen_ai.system": "x", "gen_ai.usage.input_tokens": value}).input_tokens is None


@pytest.mark.parametrize(
    ("details", "tokens"),
    [
        ('{"input": 7, "input_cached": 3}', 7),
        ('{"input": 7.9}', 7),
        ('{"input": 1e999}', None),
        ('{"input": NaN}', None),
        ('{"input": "7"}', None),
        ('{"input": true}', None),
        ("[" * 100_000, None),
        ('["input"]', None),
        ("{", None),
    ],
)
def test_details_of_langfuse_are_read_or_left(details, tokens):
    held = {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": details}
    assert call(held).input_tokens == tokens


@pytest.mark.parametrize(
    ("given", "nanoseconds"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
        ('"2023-11-14T22:13:20.5Z"', 1_700_000_000_500_000_000),
        ("2023-11-14 23:13:20.123456789+01:00", 1_700_000_000_123_456_789),
        ("2023-11-14T22:13:20", 1_700_000_000_000_000_000),
        ("2023-02-30T22:13:20Z", None),
        ("2023-11-14T24:00:00Z", None),
        ("2023-11-14", None),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_instants(given, nanoseconds):
    assert text.instant_ns(given) == nanoseconds


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (["stop"], "stop"),
        ('["stop","length"]', "stop"),
        ("end_turn", "end_turn"),
        ("[]", ""),
        ([], ""),
        ([""], ""),
        ([1], "other"),
        (['a"b'], "other"),
        (["["], "other"),
        ("a sentence of a stranger", "other"),
        ("x" * 41, "other"),
    ],
)
def test_finish_reasons_are_words(given, word):
    held = {"gen_ai.system": "x", "gen_ai.response.finish_reason": given}
    assert call(held).finish == word
    held = {"gen_ai.system": "x", "gen_ai.response.finish_reason": text.text(given)}
    assert call(held).finish == word


@pytest.mark.parametrize(
    ("kind", "operation"), [("LLM", "chat"), ("EMBEDDING", "embeddings"), ("COMPLETION", "text_completion")]
)
def test_kinds_in_capitals_are_operations(kind, operation):
    assert call({"openinference.span.kind": kind}).operation == operation


def test_the_exceptions_of_events_are_words_too():
    events = [Event(BEGIN_NS, "exception", {"exception.type": "openai.APITimeoutError"})]
    assert call({"gen_ai.system": "x"}, is_error=True, events=events).error == "timeout"
