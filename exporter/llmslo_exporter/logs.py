"""Log lines for machines and people: `level=info msg="probes attached" hook=SSL_read`, or the same as JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

from llmslo_exporter import crash

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {logging.WARNING: "warn", logging.CRITICAL: "error"}
# What every record has; the rest came by `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:+@%")


class TextFormatter(logging.Formatter):
    """One line of `key=value` per record; quoted where a value would not read back."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        level, message, *rest = _fields(record)
        parts = [f"{level[0]}={level[1]}", f"{message[0]}={json.dumps(message[1], ensure_ascii=False)}"]
        return " ".join([*parts, *(f"{key}={_quoted(value)}" for key, value in rest)])


class JsonFormatter(logging.Formatter):
    """One JSON object per record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return json.dumps({"time": when, **dict(_fields(record))}, ensure_ascii=False, default=str)


def configure(level: str, log_format: str, stream: TextIO) -> None:
    """Send all log records from `level` up to `stream`; call once, at start."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)


def _fields(record: logging.LogRecord) -> list[tuple[str, object]]:
    fields: list[tuple[str, object]] = [
        ("level", _NAMES.get(record.levelno, record.levelname.lower())),
        ("msg", record.getMessage()),
    ]
    fields += [(key, value) for key, value in vars(record).items() if key not in _STANDARD]
    if record.exc_info and record.exc_info[1] is not None:
        fields.append(("error", crash.told(record.exc_info[1])))
    return fields


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text, ensure_ascii=False)
