"""The command line of llmslo-exporter: options in, exit code out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TypeVar

from llmslo_exporter import crash, logs
from llmslo_exporter.catalog import Limits
from llmslo_exporter.errors import ExporterError
from llmslo_exporter.options import (
    DEFAULT_ADDRESS,
    LOADERS,
    LOG_FORMATS,
    LOG_LEVELS,
    Options,
    parse_address,
    parse_cap,
    parse_duration,
    parse_rule,
)

PROGRAM = "llmslo-exporter"
USER, BUG, INTERRUPTED = 1, 3, 130  # argparse itself exits with 2 on wrong usage

Value = TypeVar("Value")


def main(argv: Sequence[str], run: Callable[[Options], int]) -> int:
    """Run the daemon with the options of `argv`; return 0, 1 (the user must act), 2 (usage) or 3 (our bug)."""
    try:
        options = parse(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    logs.configure(options.log_level, options.log_format, sys.stderr)
    try:
        return run(options)
    except ExporterError as error:
        sys.stderr.write(f"{PROGRAM}: {' '.join(str(error).split())}\n")
        return USER
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- the last line of defence: a traceback and a code of its own
        sys.stderr.write(crash.told(error))
        return BUG


def parse(argv: Sequence[str]) -> Options:
    """Return the options; like argparse, print and raise SystemExit for --help, --version and wrong usage."""
    found = _parser().parse_args(argv)
    return Options(
        address=found.address,
        loader=found.loader,
        log_level=found.log_level,
        log_format=found.log_format,
        bpf_stats=found.bpf_stats,
        provider_map=dict(found.provider_map),
        limits=Limits(found.models, found.providers, found.workloads, found.series, found.idle),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        PROGRAM,
        description="Watch every LLM exchange of this node in the kernel and serve /metrics.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--web.listen-address",
        dest="address",
        type=_typed(parse_address),
        default=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        help="address of /metrics; [::1]:9469 and :9469 (every interface) work too",
    )
    add("--loader", choices=LOADERS, default=LOADERS[0], help="what loads the BPF programs; auto: libbpf, else bcc")
    add("--log.level", dest="log_level", choices=LOG_LEVELS, default="info", help="lowest level that is logged")
    add("--log.format", dest="log_format", choices=LOG_FORMATS, default="text", help="format of the log on stderr")
    add("--bpf.stats", dest="bpf_stats", action="store_true", help="measure the run time of the BPF programs")
    add(
        "--provider-map",
        type=_typed(parse_rule),
        action="append",
        default=[],
        metavar="HOST[:PORT]=NAME",
        help="provider label of a host; may be given again",
    )
    _add_limits(parser)
    add("--version", action="version", version=f"{PROGRAM} {version('llmslo')}")
    return parser


def _add_limits(parser: argparse.ArgumentParser) -> None:
    limits = Limits()
    for name, default, text in (
        ("models", limits.models, "model names before _other"),
        ("providers", limits.providers, "providers before _other"),
        ("workloads", limits.workloads, "workloads before _other"),
        ("series", limits.series, "time series in all"),
    ):
        parser.add_argument(
            f"--limit.{name}", dest=name, type=_typed(parse_cap), default=default, metavar="N", help=text
        )
    parser.add_argument(
        "--limit.idle",
        dest="idle",
        type=_typed(parse_duration),
        default=f"{int(limits.idle_s / 3600)}h",
        metavar="DURATION",
        help="forget a label set unused for so long",
    )


def _typed(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """Let argparse print the reason of a ValueError, which it would otherwise hide."""

    def convert(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert
