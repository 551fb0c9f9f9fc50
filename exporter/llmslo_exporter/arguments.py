"""What the command line asks for: which command, and which settings hold over those of the file."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from llmslo_exporter.exclusions import Exclusions, parse_exclusion
from llmslo_exporter.options import (
    DEFAULT_ADDRESS,
    LOADERS,
    LOG_FORMATS,
    LOG_LEVELS,
    Options,
    parse_address,
    parse_cap,
    parse_duration,
    parse_rate,
    parse_rule,
)
from llmslo_exporter.settings_file import Source

PROGRAM = "llmslo-exporter"
ONCE, CHECK, TOP, SCHEMA = "once", "check", "top", "schema"
DEFAULT_ONCE_S = 10.0
DEFAULT_INTERVAL_S = 2.0
MAX_SECONDS = 86_400.0
MIN_INTERVAL_S = 0.1
_PLAIN = ("address", "loader", "log_level", "log_format", "bpf_stats", "tls_busy_rate")
_LIMITS = ("models", "providers", "workloads", "series", "idle_s")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of the command; what no flag said has its default."""

    command: str  # empty: the daemon
    source: Source
    once_s: float = DEFAULT_ONCE_S
    is_json: bool = False
    interval_s: float = DEFAULT_INTERVAL_S
    count: int | None = None  # of tables; None: until it is ended
    url: str | None = None  # of another exporter's /metrics
    loads: bool = True  # check: try the loaders


def parse(argv: Sequence[str]) -> Invocation:
    """Return what is asked for; like argparse, print and raise SystemExit for --help, --version and wrong usage."""
    parser = _parser()
    found = parser.parse_args(argv)
    given = vars(found)
    command = given.get("command") or (ONCE if "once_s" in given else "")
    if "once_s" in given and command != ONCE:
        parser.error(f"--once prints a scrape of the exporter itself: leave it out, or leave out {command}")
    asked = {
        name: given[name] for name in ("once_s", "is_json", "interval_s", "count", "url", "loads") if name in given
    }
    return Invocation(command, Source(given.get("file"), _override(found, command)), **asked)


def _override(found: argparse.Namespace, command: str) -> Callable[[Options], Options]:
    """Return what puts the flags that were given over the settings of a file."""
    given = vars(found)
    simple: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
    # A person at a terminal wants the result, and of the log only what is wrong.
    quiet = {"log_level": "warn"} if command and not given.get("file") else {}
    limits = {name: given[name] for name in _LIMITS if name in given}
    rules = dict(given.get("provider_map", ()))
    patterns = given.get("tls_exclude")

    def override(options: Options) -> Options:
        return replace(
            options,
            **(quiet | simple),
            provider_map={**options.provider_map, **rules},
            limits=replace(options.limits, **limits),
            tls_exclude=options.tls_exclude if patterns is None else Exclusions(tuple(patterns)),
        )

    return override


def _parser() -> argparse.ArgumentParser:
    shared = _settings()
    parser = argparse.ArgumentParser(
        PROGRAM,
        description="Watch every LLM exchange of this node in the kernel and serve /metrics, or run a command.",
        epilog="Exit codes: 0 fine, 1 something to act on, 2 wrong usage, 3 a bug of ours.",
        parents=[shared],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version('llmslo')}")
    parser.add_argument(
        "--once",
        dest="once_s",
        nargs="?",
        type=_typed(parse_seconds),
        const=DEFAULT_ONCE_S,
        default=argparse.SUPPRESS,
        metavar="SECONDS",
        help=f"watch for so long, print one scrape to stdout, end; alone it means {DEFAULT_ONCE_S:g}",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_check(commands.add_parser(CHECK, help="say what this machine can and cannot do", parents=[shared]))
    _add_top(commands.add_parser(TOP, help="show the node's LLM calls, live, in this terminal", parents=[shared]))
    commands.add_parser(SCHEMA, help="print the JSON Schema of --config.file")
    return parser


def _settings() -> argparse.ArgumentParser:
    """Return the flags that set what the file may set too."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    add = parser.add_argument_group("settings; each holds over the file").add_argument
    defaults = Options()
    add("--config.file", dest="file", type=Path, metavar="FILE", help="settings in YAML; SIGHUP reads them again")
    add(
        "--web.listen-address",
        dest="address",
        type=_typed(parse_address),
        metavar="HOST:PORT",
        help=f"address of /metrics; [::1]:9469 and :9469 (every interface) work too (default: {DEFAULT_ADDRESS})",
    )
    add("--loader", choices=LOADERS, help="what loads the BPF programs; auto: libbpf, else bcc (default: auto)")
    add("--log.level", dest="log_level", choices=LOG_LEVELS, help="lowest level that is logged (default: info)")
    add("--log.format", dest="log_format", choices=LOG_FORMATS, help="format of the log on stderr (default: text)")
    add("--bpf.stats", dest="bpf_stats", action="store_true", help="measure the run time of the BPF programs")
    add(
        "--provider-map",
        type=_typed(parse_rule),
        action="append",
        metavar="HOST[:PORT]=NAME",
        help="provider label of a host; may be given again, beside those of the file",
    )
    add(
        "--tls.exclude",
        dest="tls_exclude",
        type=_typed(parse_exclusion),
        action="append",
        metavar="PATTERN",
        help="no probes in these processes: NAME or /PATH of an executable, or cgroup:/PATH, * and ? allowed;"
        " may be given again, instead of those of the file",
    )
    add(
        "--tls.busy-rate",
        dest="tls_busy_rate",
        type=_typed(parse_rate),
        metavar="N",
        help="TLS calls a second from which a process that makes no LLM call is left out for a while; 0: never"
        f" (default: {defaults.tls_busy_rate})",
    )
    for name, default, text in (
        ("models", defaults.limits.models, "model names before _other"),
        ("providers", defaults.limits.providers, "providers before _other"),
        ("workloads", defaults.limits.workloads, "workloads before _other"),
        ("series", defaults.limits.series, "time series in all"),
    ):
        add(f"--limit.{name}", dest=name, type=_typed(parse_cap), metavar="N", help=f"{text} (default: {default})")
    add(
        "--limit.idle",
        dest="idle_s",
        type=_typed(parse_duration),
        metavar="DURATION",
        help=f"forget a label set unused for so long (default: {defaults.limits.idle_s / 3600:g}h)",
    )
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Say what this machine can and cannot do, and what to do about it. Exits 1 when the exporter cannot run."
        " Root sees more."
    )
    add = parser.add_argument
    add("--json", dest="is_json", action="store_true", default=argparse.SUPPRESS, help="one JSON document")
    add(
        "--no-load",
        dest="loads",
        action="store_false",
        default=argparse.SUPPRESS,
        help="do not try the loaders, which takes seconds for bcc",
    )


def _add_top(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Show the node's LLM calls, live; q or Ctrl-C ends it. Where stdout is no terminal, a table each interval."
    )
    add = parser.add_argument
    add(
        "--interval",
        dest="interval_s",
        type=_typed(parse_interval),
        default=argparse.SUPPRESS,
        metavar="SECONDS",
        help=f"between two tables (default: {DEFAULT_INTERVAL_S:g})",
    )
    add(
        "--count",
        type=_typed(parse_cap),
        default=argparse.SUPPRESS,
        metavar="N",
        help="end after so many tables",
    )
    add("--json", dest="is_json", action="store_true", default=argparse.SUPPRESS, help="one JSON object a table")
    add(
        "--url",
        type=_typed(parse_url),
        default=argparse.SUPPRESS,
        help="read a running exporter's /metrics instead of setting probes, http://HOST:PORT/metrics",
    )


def parse_seconds(text: str) -> float:
    """Read `10`, `0.5`, `10s` or `2m` in seconds; raise ValueError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = parse_duration(text)
    if not 0 <= seconds <= MAX_SECONDS:
        msg = f"{text!r}: want 0 to {MAX_SECONDS:.0f} seconds"
        raise ValueError(msg)
    return seconds


def parse_interval(text: str) -> float:
    """Read seconds between two tables; raise ValueError."""
    seconds = parse_seconds(text)
    if seconds < MIN_INTERVAL_S:
        msg = f"{text!r}: want at least {MIN_INTERVAL_S:g} seconds"
        raise ValueError(msg)
    return seconds


def parse_url(text: str) -> str:
    """Return `text` if it is an address of HTTP; raise ValueError."""
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
        msg = f"{text!r}: want http://HOST:PORT/metrics"
        raise ValueError(msg)
    return text


def _typed(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """Let argparse print the reason of a ValueError, which it would otherwise hide."""

    def convert(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert
