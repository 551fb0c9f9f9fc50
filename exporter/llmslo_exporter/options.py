"""All settings of the exporter, and how each is written, in a file as on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from llmslo_exporter.catalog import Limits
from llmslo_exporter.exclusions import Exclusions

LoaderName = Literal["auto", "libbpf", "bcc"]
LogLevel = Literal["debug", "info", "warn", "error"]
LogFormat = Literal["text", "json"]
LOADERS: tuple[LoaderName, ...] = get_args(LoaderName)
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
LOG_FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)
DEFAULT_ADDRESS = "127.0.0.1:9469"
MAX_PORT = 65535
MAX_HOST = 260  # a name of the DNS has 253 at most, and a port
MAX_PROVIDER = 63  # a label value of Kubernetes
MAX_DIGITS = 12
DEFAULT_BUSY_RATE = 1000


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. An empty host is every interface, IPv4 and IPv6."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Options:
    """All settings of the exporter."""

    address: Address = field(default_factory=lambda: parse_address(DEFAULT_ADDRESS))
    loader: str = LOADERS[0]
    log_level: str = "info"
    log_format: str = LOG_FORMATS[0]
    bpf_stats: bool = False
    provider_map: Mapping[str, str] = field(default_factory=dict)  # provider by `host` or `host:port`, lower case
    limits: Limits = field(default_factory=Limits)
    tls_exclude: Exclusions = field(default_factory=Exclusions)
    # TLS calls a second from which a process without LLM calls is left out; 0: never.
    tls_busy_rate: int = DEFAULT_BUSY_RATE
    families: frozenset[str] = frozenset()  # shown at /metrics; empty: all


# What a running exporter cannot change, by how it is written in the file.
NEEDS_RESTART = {
    "address": "web.listen_address",
    "loader": "loader",
    "bpf_stats": "bpf.stats",
    "tls_busy_rate": "tls.busy_rate",
}


def parse_address(text: str) -> Address:
    """Read `host:port`, `[ipv6]:port` or `:port`; raise ValueError with the reason."""
    host, colon, port = text.rpartition(":")
    if not colon:
        msg = f"{text!r} has no port: want HOST:PORT, [IPV6]:PORT or :PORT"
        raise ValueError(msg)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        msg = f"{text!r}: an IPv6 address needs brackets, [{host}]:{port}"
        raise ValueError(msg)
    return Address(host, _port(port))


def parse_rule(text: str) -> tuple[str, str]:
    """Read `host=provider` or `host:port=provider` as a pair; raise ValueError with the reason."""
    place, equals, provider = text.partition("=")
    if not (place and equals and provider):
        msg = f"{text!r}: want HOST[:PORT]=PROVIDER"
        raise ValueError(msg)
    return parse_place(place), parse_provider(provider)


def parse_place(text: str) -> str:
    """Return `host` or `host:port` in lower case; raise ValueError with the reason."""
    if not text or not text.isprintable() or set(text) & set(" /@") or len(text) > MAX_HOST:
        msg = f"{text[:MAX_HOST]!r}: want HOST or HOST:PORT, without a scheme or a path"
        raise ValueError(msg)
    if ":" in text and not (text.startswith("[") and text.endswith("]")):
        parse_address(text)
    return text.lower()


def parse_provider(text: str) -> str:
    """Return the name of a provider; raise ValueError where it is none."""
    if not text.strip() or not text.isprintable() or len(text) > MAX_PROVIDER:
        msg = f"{text[:MAX_PROVIDER]!r}: want the provider's name, 1 to {MAX_PROVIDER} printable characters"
        raise ValueError(msg)
    return text


def parse_duration(text: str) -> float:
    """Read a duration as Prometheus writes it, `90s`, `15m`, `24h`, `7d`, in seconds; raise ValueError."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = text[:-1], text[-1:]
    if unit not in seconds or not _is_count(number):
        msg = f"{text!r}: want a whole number and s, m, h or d, for example 24h"
        raise ValueError(msg)
    return float(int(number) * seconds[unit])


def parse_cap(text: str) -> int:
    """Read a whole number of at least 1; raise ValueError."""
    if not _is_count(text):
        msg = f"{text!r}: want a whole number of at least 1"
        raise ValueError(msg)
    return int(text)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and int(text) > 0


def parse_rate(text: str) -> int:
    """Read a whole number, 0 too; raise ValueError."""
    if text != "0" and not _is_count(text):
        msg = f"{text!r}: want a whole number, 0 for never"
        raise ValueError(msg)
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS or int(text) > MAX_PORT:
        msg = f"port {text!r}: want a number from 0 to {MAX_PORT}"
        raise ValueError(msg)
    return int(text)
