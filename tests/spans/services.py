"""The services that call the model while spans are recorded: who asks what, how often, and what goes wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

# fmt: off
WORDS = (
    "heron", "quartz", "bellows", "saffron", "lantern", "thistle", "gondola", "basalt", "juniper", "trellis", "anchor",
    "velvet", "copper", "meadow", "orchard", "pelican", "marble", "cinder", "walnut", "harbour", "falcon", "amber",
    "willow", "tundra", "glacier", "cobalt",
)
# fmt: on


class Instrumentation(Enum):
    """Who writes the spans: OpenTelemetry's own package, or OpenLLMetry's (Traceloop)."""

    OPENTELEMETRY = "opentelemetry-instrumentation-genai-openai"
    OPENLLMETRY = "opentelemetry-instrumentation-openai"


class Mishap(Enum):
    """What goes wrong with a call, for real."""

    NOTHING = "nothing"
    NOT_FOUND = "a path that the server does not have: 404"
    TOO_LONG = "a prompt longer than the context: 400"
    TIMEOUT = "a user who waits 20 ms"
    LEFT = "a user who leaves the stream after a few pieces"


@dataclass(frozen=True, slots=True)
class Service:
    """One service: what it asks (words, tokens: least and most), seconds between its calls on average, its mishaps."""

    name: str
    instrumentation: Instrumentation
    stream: bool
    words: tuple[int, int]
    tokens: tuple[int, int]
    pause_s: float
    mishaps: tuple[tuple[Mishap, float], ...] = ()  # with their share of the calls

    def mishap(self, dice: random.Random) -> Mishap:
        at = dice.random()
        for mishap, share in self.mishaps:
            at -= share
            if at < 0:
                return mishap
        return Mishap.NOTHING

    def prompt(self, dice: random.Random, mishap: Mishap) -> str:
        """Return words of `WORDS` alone, so that a test can look for them."""
        count = TOO_MANY_WORDS if mishap is Mishap.TOO_LONG else dice.randint(*self.words)
        return " ".join(dice.choices(WORDS, k=count))


TOO_MANY_WORDS = 3000  # the demo's server has 2048 tokens of context for two callers

SERVICES = (
    Service(
        "support-chat",
        Instrumentation.OPENTELEMETRY,
        stream=True,
        words=(4, 30),
        tokens=(8, 32),
        pause_s=2.5,
        mishaps=((Mishap.TIMEOUT, 0.01), (Mishap.LEFT, 0.03)),
    ),
    Service(
        "summaries",
        Instrumentation.OPENTELEMETRY,
        stream=False,
        words=(80, 240),
        tokens=(12, 40),
        pause_s=6.0,
        mishaps=((Mishap.TOO_LONG, 0.015),),
    ),
    Service(
        "assistant",
        Instrumentation.OPENLLMETRY,
        stream=True,
        words=(10, 120),
        tokens=(6, 24),
        pause_s=4.0,
        mishaps=((Mishap.NOT_FOUND, 0.015), (Mishap.TIMEOUT, 0.01)),
    ),
    Service(
        "tagger",
        Instrumentation.OPENLLMETRY,
        stream=False,
        words=(6, 40),
        tokens=(2, 4),
        pause_s=3.0,
        mishaps=((Mishap.TIMEOUT, 0.005),),
    ),
)
