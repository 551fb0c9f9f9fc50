"""What the command line said, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmslo_exporter.catalog import Limits

LOADERS = ("auto", "libbpf", "bcc")
LOG_LEVELS = ("debug", "info", "warn", "error")
LOG_FORMATS = ("text", "json")
DEFAULT_ADDRESS = "127.0.0.1:9469"
MAX_PORT = 65535


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
    if ":" in place and not (place.startswith("[") and place.endswith("]")):
        parse_address(place)
    return place.lower(), provider


def parse_duration(text: str) -> float:
    """Read a duration as Prometheus writes it, `90s`, `15m`, `24h`, `7d`, in seconds; raise ValueError."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = text[:-1], text[-1:]
    if unit not in seconds or not number.isascii() or not number.isdigit() or int(number) == 0:
        msg = f"{text!r}: want a whole number and s, m, h or d, for example 24h"
        raise ValueError(msg)
    return float(int(number) * seconds[unit])


def parse_cap(text: str) -> int:
    """Read a whole number of at least 1; raise ValueError."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        msg = f"{text!r}: want a whole number of at least 1"
        raise ValueError(msg)
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_PORT:
        msg = f"port {text!r}: want a number from 0 to {MAX_PORT}"
        raise ValueError(msg)
    return int(text)
