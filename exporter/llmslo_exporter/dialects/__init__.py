"""The dialects this exporter reads; of those with the same ending of a path the first that accepts it is taken."""

from __future__ import annotations

from llmslo_exporter.dialects.anthropic import ANTHROPIC
from llmslo_exporter.dialects.cohere import COHERE_V1, COHERE_V2
from llmslo_exporter.dialects.dialect import Dialect
from llmslo_exporter.dialects.gemini import GEMINI
from llmslo_exporter.dialects.generate import TGI, TRITON
from llmslo_exporter.dialects.llama_cpp import LLAMA_CPP
from llmslo_exporter.dialects.ollama import OLLAMA
from llmslo_exporter.dialects.openai import OPENAI
from llmslo_exporter.dialects.responses import RESPONSES
from llmslo_exporter.dialects.watsonx import WATSONX
from llmslo_exporter.wire import Wire

# The first one's wire is also tried on streams whose request was not seen.
DIALECTS: tuple[Dialect, ...] = (
    *(OPENAI, ANTHROPIC, RESPONSES, OLLAMA, GEMINI, COHERE_V2, COHERE_V1, TRITON, TGI),
    *(LLAMA_CPP, WATSONX),
)
# What is seen and counted by reason, but not read: Amazon's binary streams (Bedrock, SageMaker), and the WebSockets of
# OpenAI's and Azure's Responses and Realtime and of Gemini Live.
UNREAD = Wire(
    name="unread",
    paths=("/converse-stream", "-response-stream"),
    sockets=("/responses", "/realtime", "BidiGenerateContent"),
)
WIRES: tuple[Wire, ...] = (*(dialect.wire for dialect in DIALECTS), UNREAD)


def find(path: str) -> Dialect | None:
    """Return the dialect of a request path (with or without its query); None: no LLM call.

    The longest ending decides, as in the kernel: /api/generate is not every /generate.
    """
    path = path.partition("?")[0]
    longest = max(dialect.ending(path) for dialect in DIALECTS)
    if not longest:
        return None
    return next((one for one in DIALECTS if one.ending(path) == longest and one.accepts(path)), None)
