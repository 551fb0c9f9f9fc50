"""The actions of the automaton's moves; the numbers are those of bpf/events.h."""

from __future__ import annotations

USED, DIGIT, HEAD_END, BAD = 0x1, 0x2, 0x4, 0x8
LLM, CHUNKED, SSE, NDJSON, ENCODED = 0x10, 0x20, 0x40, 0x80, 0x100
INTERIM, SWITCH, BODYLESS, LENGTH = 0x200, 0x400, 0x800, 0x1000

OUTPUT, REASONING, LINE, EVENT = 0x1, 0x2, 0x4, 0x8
ERROR, TERMINAL, FINISH, INDEX = 0x10, 0x20, 0x40, 0x80
QUIET = 0x1000
NUMBER_SHIFT = 8  # of a finish reason or a choice's index: they never share a word
MANY_CHOICES = 15  # index of ten and more
OTHER_REASON = 7  # FinishReason.OTHER
