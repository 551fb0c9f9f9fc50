"""Choose where the probes of one TLS library stand: one frozen Site per probe.

For each hook the exported entries are taken where the kernel emulates an instruction that every call passes with its
arguments and stack untouched; else the one internal function to which all forms of the call hand their arguments; else
the entries, at their price. The internal function and the place of its length pointer are read off the machine code of
the build, never off a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from llmslo_exporter.elf import ElfFile, Machine, Symbol
from llmslo_exporter.prologue import Leap, leaps, spot


class Hook(Enum):
    """What a probe sees; the value is the `hook` label."""

    READ = "read"
    WRITE = "write"
    HANDSHAKE = "handshake"
    SHUTDOWN = "shutdown"
    FREE = "free"
    CTRL = "ctrl"
    GET_ERROR = "get_error"


@dataclass(frozen=True, slots=True)
class Site:
    """Where one probe stands.

    `symbol` names the exported functions it stands for, joined by `+`. `offset` is in the file, as uprobes take it.
    `emulated` is False where the probe costs the full price of a single step, or where that is not known.
    `length_at`: the argument (1-based) that points to the length, and 1 is returned on success; None: the length is
    returned.
    """

    hook: Hook
    symbol: str
    offset: int
    emulated: bool
    length_at: int | None


@dataclass(frozen=True, slots=True)
class _Form:
    """One exported function of a hook, and how many of its arguments a probe may read."""

    symbol: str
    arguments: int
    length_at: int | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    hook: Hook
    forms: tuple[_Form, ...]  # the plain form first
    returns: bool  # the probe has a return half
    foreign: tuple[str, ...] = ()  # functions of another meaning, which must not lead to what the forms share


_PLANS = (
    _Plan(
        Hook.READ,
        (_Form("SSL_read", 3), _Form("SSL_read_ex", 4, length_at=4)),
        returns=True,
        foreign=("SSL_peek", "SSL_peek_ex"),
    ),
    _Plan(
        Hook.WRITE,
        (_Form("SSL_write", 3), _Form("SSL_write_ex", 4, length_at=4), _Form("SSL_write_ex2", 5, length_at=5)),
        returns=True,
    ),
    _Plan(Hook.HANDSHAKE, (_Form("SSL_do_handshake", 1),), returns=True),
    _Plan(Hook.SHUTDOWN, (_Form("SSL_shutdown", 1),), returns=False),
    _Plan(Hook.FREE, (_Form("SSL_free", 1),), returns=False),
    _Plan(Hook.CTRL, (_Form("SSL_ctrl", 4),), returns=False),
    _Plan(Hook.GET_ERROR, (_Form("SSL_get_error", 2),), returns=True),
)
_REQUIRED = ("SSL_read", "SSL_write")
_NAMES = tuple(name for plan in _PLANS for name in (*(form.symbol for form in plan.forms), *plan.foreign))


def choose(elf: ElfFile) -> tuple[Site, ...]:
    """Return the sites of a file that defines SSL_read and SSL_write; empty: it does not, there is nothing to probe."""
    if len(elf.symbols(_REQUIRED)) != len(_REQUIRED):
        return ()
    symbols = elf.symbols(_NAMES)
    place = _placed if elf.machine == Machine.X86_64 else _entries
    sites = [site for plan in _PLANS for site in place(elf, plan, symbols)]
    return tuple({(site.hook, site.offset): site for site in sites}.values())


def _entries(_elf: ElfFile, plan: _Plan, symbols: Mapping[str, Symbol]) -> tuple[Site, ...]:
    present = (form for form in plan.forms if form.symbol in symbols)
    return tuple(
        Site(plan.hook, form.symbol, symbols[form.symbol].offset, emulated=False, length_at=form.length_at)
        for form in present
    )


def _placed(elf: ElfFile, plan: _Plan, symbols: Mapping[str, Symbol]) -> tuple[Site, ...]:
    present = [form for form in plan.forms if form.symbol in symbols]
    reach = {
        form.symbol: leaps(elf, symbols[form.symbol].vaddr, symbols[form.symbol].size, symbols)
        for form in (present if len(present) > 1 else ())
    }
    sites = tuple(
        _at_symbol(elf, plan, form, symbols[form.symbol])
        for form in present
        if not _calls_sibling(form.symbol, reach, symbols)
    )
    if all(site.emulated for site in sites) or not reach:
        return sites
    shared = _shared(elf, plan, reach, symbols)
    return sites if shared is None else (shared,)


def _at_symbol(elf: ElfFile, plan: _Plan, form: _Form, symbol: Symbol) -> Site:
    best = spot(elf, symbol.vaddr, symbol.size, form.arguments, returns=plan.returns)
    return Site(plan.hook, form.symbol, elf.offset_of(best.vaddr), best.emulated, form.length_at)


def _calls_sibling(name: str, reach: Mapping[str, frozenset[Leap]], symbols: Mapping[str, Symbol]) -> bool:
    """Whether one form goes through another (OpenSSL 3.3: SSL_write_ex): probes at both would count its calls twice."""
    siblings = {symbols[other].vaddr for other in reach} - {symbols[name].vaddr}
    return any(leap.target in siblings for leap in reach.get(name, ()))


def _shared(
    elf: ElfFile, plan: _Plan, reach: Mapping[str, frozenset[Leap]], symbols: Mapping[str, Symbol]
) -> Site | None:
    """Return the site in the one function that every form hands its arguments to; None: none that is sure and cheap.

    The plain form passes it exactly one address of its own stack, for the length: that argument is `length_at`.
    """
    plain = plan.forms[0].symbol
    lengths = {leap.target: leap.on_stack[0] for leap in reach[plain] if len(leap.on_stack) == 1}
    common = set(lengths).intersection(*(_closure(name, reach, symbols) for name in reach if name != plain))
    if len(common) != 1:
        return None
    target = common.pop()
    if any(target in _two_deep(elf, symbols[name], symbols) for name in plan.foreign if name in symbols):
        return None
    best = spot(elf, target, 0, lengths[target], returns=plan.returns)
    if not best.emulated:
        return None
    return Site(plan.hook, "+".join(reach), elf.offset_of(best.vaddr), emulated=True, length_at=lengths[target])


def _closure(name: str, reach: Mapping[str, frozenset[Leap]], symbols: Mapping[str, Symbol]) -> set[int]:
    """Return every function `name` leaps to, itself or through the other forms."""
    by_address = {symbols[other].vaddr: other for other in reach}
    reached = {symbols[name].vaddr}
    pending = [name]
    while pending:
        targets = {leap.target for leap in reach[pending.pop()]} - reached
        reached |= targets
        pending += [by_address[target] for target in targets if target in by_address]
    return reached


def _two_deep(elf: ElfFile, symbol: Symbol, symbols: Mapping[str, Symbol]) -> set[int]:
    first = {leap.target for leap in leaps(elf, symbol.vaddr, symbol.size, symbols)}
    return first | {leap.target for target in first for leap in leaps(elf, target, 0, symbols)}
