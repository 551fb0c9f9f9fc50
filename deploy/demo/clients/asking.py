"""What every client asks, so that their numbers can be compared."""

from __future__ import annotations

PROMPTS = (
    "Name three rivers of Europe.",
    "Why is the sky blue?",
    "Write a line about a lighthouse.",
    "Explain what a kernel does.",
    "Count from one to ten.",
    "What is a latency histogram?",
)


def chat(prompt: str, model: str, max_tokens: int) -> dict[str, object]:
    """Return a streamed chat request whose answer is the same every time and ends with its usage."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
        "seed": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
