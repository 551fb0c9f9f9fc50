"""Which label values are let in: the caps on models, providers and workloads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmslo_exporter.catalog import (
    DROPPED_MODELS,
    DROPPED_PROVIDERS,
    DROPPED_WORKLOADS,
    OPERATION,
    OTHER,
    Limits,
)
from llmslo_exporter.identity import Workload
from llmslo_exporter.summary import Role

# Longer than any model name or Bedrock ARN in the recordings: what is longer is no name.
NAME_CHARACTERS = 200


class Names:
    """At most `limit` names; a name unused for `idle_s` makes room for a new one."""

    def __init__(self, limit: int, idle_s: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._idle_s = idle_s
        self._clock = clock
        self._used_s: dict[tuple[str, ...], float] = {}  # least recently used first

    def resize(self, limit: int, idle_s: float) -> None:
        """Take other bounds from now on; names beyond them stay until they are idle."""
        self._limit = limit
        self._idle_s = idle_s

    def __contains__(self, name: tuple[str, ...]) -> bool:
        return name in self._used_s

    def __len__(self) -> int:
        return len(self._used_s)

    def admit(self, *name: str) -> bool:
        """Note a use of the name; return False if it is new and there is no room."""
        now = self._clock()
        if self._used_s.pop(name, None) is None and len(self._used_s) >= self._limit:
            stale = next(iter(self._used_s), None)
            if stale is None or now - self._used_s[stale] < self._idle_s:
                return False
            del self._used_s[stale]
        self._used_s[name] = now
        return True

    def has_namespace(self, namespace: str) -> bool:
        """Return whether a name begins with `namespace`."""
        return any(name[0] == namespace for name in self._used_s)


@dataclass(frozen=True, slots=True)
class Place:
    """The label values under which an exchange counts, and the caps that changed them."""

    workload: Workload
    provider: str
    model: str
    operation: str
    role: Role
    dropped: tuple[str, ...] = ()

    @property
    def exchange(self) -> tuple[str, ...]:
        """Values of the catalog's EXCHANGE_LABELS."""
        owner = self.workload
        return (owner.namespace, owner.workload, self.provider, self.model, self.operation, self.role.value)

    @property
    def connection(self) -> tuple[str, ...]:
        """Values of the catalog's CONNECTION_LABELS."""
        return (self.workload.namespace, self.workload.workload, self.provider, self.role.value)


class Admission:
    """Bounds the label values that the traffic chooses. Not thread-safe: its owner holds a lock."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._models = Names(limits.models, limits.idle_s, clock)
        self._providers = Names(limits.providers, limits.idle_s, clock)
        self._workloads = Names(limits.workloads, limits.idle_s, clock)

    def resize(self, limits: Limits) -> None:
        """Take other caps from now on."""
        self._models.resize(limits.models, limits.idle_s)
        self._providers.resize(limits.providers, limits.idle_s)
        self._workloads.resize(limits.workloads, limits.idle_s)

    def place(  # noqa: PLR0913 -- the contract's labels
        self, workload: Workload, provider: str, model: str | None, operation: str, role: Role, *, answered: bool
    ) -> Place:
        """Return the label values; a new model name is let in only if `answered`: a 2xx came back.

        What is no name, for its length or for what cannot be printed, is dropped as what is over a cap.
        """
        dropped: list[str] = []
        names = (workload.namespace or workload.workload, workload.workload)
        if not all(map(is_name, names)) or not self._workloads.admit(workload.namespace, workload.workload):
            dropped.append(DROPPED_WORKLOADS)
            known = self._workloads.has_namespace(workload.namespace)
            workload = Workload(workload.namespace if known else OTHER, OTHER)
        if not is_name(provider) or not self._providers.admit(provider):
            dropped.append(DROPPED_PROVIDERS)
            provider = OTHER
        if model is None or not (answered or (model,) in self._models):
            model = OTHER
        elif not is_name(model) or not self._models.admit(model):
            dropped.append(DROPPED_MODELS)
            model = OTHER
        return Place(workload, provider, model, OPERATION.known(operation), role, tuple(dropped))


def is_name(text: str) -> bool:
    """Return whether a request's text can be the name of a model."""
    return 0 < len(text) <= NAME_CHARACTERS and text.isprintable()
