"""What a client says of one exchange, as one JSON line on its standard output."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds from just before the first send to the first content; tokens as the answer's own usage says."""

    ttft_s: float
    outcome: str
    input_tokens: int | None = None  # None: the client left before the usage came
    output_tokens: int | None = None

    def line(self) -> str:
        return json.dumps(asdict(self))


def parse(text: str) -> list[Measured]:
    """Return the exchanges in a client's output; lines that are no JSON object are its chatter."""
    return [Measured(**json.loads(line)) for line in text.split("\n") if line.startswith("{")]
