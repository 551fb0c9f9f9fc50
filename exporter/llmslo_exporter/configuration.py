"""The settings file: bytes in, `Options` out, or every problem with its line. Its shapes are also its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Limits
from llmslo_exporter.errors import ConfigurationError
from llmslo_exporter.exclusions import Exclusions, parse_exclusion
from llmslo_exporter.options import (
    DEFAULT_ADDRESS,
    DEFAULT_BUSY_RATE,
    MAX_PROVIDER,
    LoaderName,
    LogFormat,
    LogLevel,
    Options,
    parse_address,
    parse_duration,
    parse_place,
    parse_provider,
)
from llmslo_exporter.yaml_places import Path, PlaceError, Settings, read

MAX_PROVIDERS = 10_000
MAX_PATTERNS = 1_000  # each is tried on each new process
MAX_CAP = 10_000_000
PROCESS_FAMILIES = "process_"  # prometheus_client's own, beside the catalog
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SHOWN = 60
_MAX_PROBLEMS = 20
# pydantic's word for what was needed, in ours.
_NEEDED = {
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text; put it in quotes",
    "model_type": "a mapping of keys to values",
    "dict_type": "a mapping of hosts to providers",
    "tuple_type": "a list, one item a line, each after `- `",
    "less_than_equal": f"a number of at most {MAX_CAP}",
    "too_long": "a shorter list",
}


def _checked(parse: Callable[[str], object]) -> AfterValidator:
    """Refuse what `parse` refuses, keep the text."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


# A bare number, `idle: 24`, then gets our word for what it lacks.
_AS_TEXT = BeforeValidator(lambda value: str(value) if type(value) is int else value)


def _parse_family(text: str) -> str:
    if text in catalog.BY_NAME or text.startswith(PROCESS_FAMILIES):
        return text
    near = get_close_matches(text, catalog.BY_NAME, 1)
    msg = f"{text[:_SHOWN]!r} is no metric of this exporter" + (f": did you mean {near[0]}?" if near else "")
    raise ValueError(msg)


def _schema(pattern: str, help_: str, **more: object) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "description": help_} | more)


_Address = Annotated[
    str,
    _AS_TEXT,
    _checked(parse_address),
    _schema(r"^(\[[^\]]*\]|[^:]*):[0-9]{1,5}$", "Where to listen: HOST:PORT, [IPV6]:PORT or :PORT (every interface)."),
]
_Duration = Annotated[
    str,
    _AS_TEXT,
    _checked(parse_duration),
    _schema("^0*[1-9][0-9]*[smhd]$", "Forget a label set that was not used for so long: a number and s, m, h or d."),
]
_Place = Annotated[str, _checked(parse_place)]
_Provider = Annotated[
    str, _checked(parse_provider), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_PROVIDER})
]
_Pattern = Annotated[str, _checked(parse_exclusion), WithJsonSchema({"type": "string", "minLength": 1})]
_Family = Annotated[
    str,
    _checked(_parse_family),
    WithJsonSchema({"anyOf": [{"enum": sorted(catalog.BY_NAME)}, {"type": "string", "pattern": "^process_"}]}),
]
_Cap = Annotated[int, Field(ge=1, le=MAX_CAP)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WebShape(_Shape):
    """Where /metrics is served; a change needs a restart."""

    listen_address: _Address = DEFAULT_ADDRESS


class LogShape(_Shape):
    """The log on standard error."""

    level: LogLevel = "info"
    format: LogFormat = "text"


class BpfShape(_Shape):
    """The programs in the kernel; a change needs a restart."""

    stats: bool = Field(default=False, description="Let the kernel measure the run time of the programs.")


class LimitsShape(_Shape):
    """Bounds of what is held; beyond them a value becomes `_other`."""

    models: _Cap = Limits().models
    providers: _Cap = Limits().providers
    workloads: _Cap = Limits().workloads
    series: _Cap = Limits().series
    idle: _Duration = f"{int(Limits().idle_s / 3600)}h"


class TlsShape(_Shape):
    """What of TLS is left out."""

    exclude: Annotated[tuple[_Pattern, ...], Field(max_length=MAX_PATTERNS, strict=False)] = Field(
        default=(),
        description="Processes without probes: NAME or /PATH of an executable, or cgroup:/PATH; * and ? are wildcards.",
    )

    busy_rate: Annotated[int, Field(ge=0, le=MAX_CAP)] = Field(
        default=DEFAULT_BUSY_RATE,
        description="TLS calls a second from which a process that makes no LLM call is left out for a while; 0: never."
        " A change needs a restart.",
    )


class MetricsShape(_Shape):
    """What /metrics shows."""

    names: Annotated[tuple[_Family, ...], Field(strict=False)] = Field(
        default=(), description="Only these metrics; all when empty. A scrape may narrow it further with ?name[]=."
    )


class FileShape(_Shape):
    """Settings of llmslo-exporter (--config.file). What the command line says holds over the file."""

    web: WebShape = WebShape()
    loader: LoaderName = Field(
        default="auto", description="What loads the programs; auto: libbpf, else bcc. A change needs a restart."
    )
    log: LogShape = LogShape()
    bpf: BpfShape = BpfShape()
    limits: LimitsShape = LimitsShape()
    providers: Annotated[dict[_Place, _Provider], Field(max_length=MAX_PROVIDERS)] = Field(
        default={}, description="The provider label of a host: `HOST: NAME` or `HOST:PORT: NAME`."
    )
    tls: TlsShape = TlsShape()
    metrics: MetricsShape = MetricsShape()

    @model_validator(mode="before")
    @classmethod
    def _without_empty_sections(cls, value: object) -> object:
        """A section of which every line is commented out is one that is not there."""
        if not isinstance(value, dict):
            return value
        return {key: held for key, held in value.items() if held is not None or key not in cls.model_fields}


def parse(raw: bytes, file: str) -> Options:
    """Return the options that the bytes of a settings file mean; raise ConfigurationError with every problem."""
    try:
        found = read(raw)
    except PlaceError as error:
        raise ConfigurationError((f"{file}:{error.line}: {error}",)) from error
    try:
        shape = FileShape.model_validate(found.value)
    except ValidationError as error:
        raise ConfigurationError(_problems(error, found, file)) from error
    return _options(shape)


def schema() -> str:
    """Return the JSON Schema of the file as it is committed, in docs/."""
    found = {"$schema": DRAFT, "title": "llmslo-exporter: --config.file", **_tidied(FileShape.model_json_schema())}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _options(shape: FileShape) -> Options:
    limits = shape.limits
    return Options(
        address=parse_address(shape.web.listen_address),
        loader=shape.loader,
        log_level=shape.log.level,
        log_format=shape.log.format,
        bpf_stats=shape.bpf.stats,
        provider_map={parse_place(place): provider for place, provider in shape.providers.items()},
        limits=Limits(limits.models, limits.providers, limits.workloads, limits.series, parse_duration(limits.idle)),
        tls_exclude=Exclusions(shape.tls.exclude),
        tls_busy_rate=shape.tls.busy_rate,
        families=frozenset(shape.metrics.names),
    )


def _problems(error: ValidationError, found: Settings, file: str) -> tuple[str, ...]:
    lines: list[tuple[int, str]] = []
    for detail in error.errors(include_url=False):
        path = tuple(step for step in detail["loc"] if step != "[key]")
        name = ".".join(str(step)[:_SHOWN] for step in path) or "the file"
        lines.append((found.line_of(path), f"{name}: {_said(path, detail)}"))
    said = [f"{file}:{line}: {text}" for line, text in sorted(lines)]
    more = len(said) - _MAX_PROBLEMS
    return (*said[:_MAX_PROBLEMS], *([f"{file}: and {more} more problems"] if more > 0 else []))


def _said(path: Path, detail: Mapping[str, Any]) -> str:
    kind, given = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys(path[:-1])
        near = get_close_matches(str(path[-1]), known, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"found an unknown key, needed one of {', '.join(known)}{hint}"
    if kind == "value_error":
        return f"found {context['error']}"
    if kind == "greater_than_equal":
        return f"found {_shown(given)}, needed a whole number of at least {context['ge']}"
    needed = f"one of {', '.join(_words(context))}" if kind == "literal_error" else _NEEDED.get(kind, detail["msg"])
    return f"found {_shown(given)}, needed {needed}"


def _words(context: Mapping[str, Any]) -> list[str]:
    return [word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", ")]


def _keys(path: Path) -> list[str]:
    shape: type[BaseModel] = FileShape
    for step in path:
        shape = type(shape.model_fields[str(step)].default)
    return list(shape.model_fields)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _tidied(data: Any, *, is_names: bool = False) -> Any:  # noqa: ANN401 -- JSON has no narrower type
    """Return `data` without pydantic's titles: they are the keys again, capitalised."""
    if isinstance(data, list):
        return [_tidied(one) for one in data]
    if not isinstance(data, dict):
        return data
    return {
        key: _tidied(value, is_names=key in {"properties", "$defs"})
        for key, value in data.items()
        if is_names or key != "title"
    }
