"""Hard traffic with every event known: what services do that budgets get wrong. Seeded: the same on every run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from zlib import crc32

import numpy as np

from llmslo_exporter.catalog import (
    FIRST_TOKEN,
    MODEL,
    NAMESPACE,
    OUTCOME,
    REQUESTS,
    ROLE,
    STREAM_OUTCOME,
    STREAMS,
    TTFT,
    WORKLOAD,
)
from llmslo_rulegen.slo import (
    Alerting,
    CatalogSli,
    EventFunction,
    EventsSli,
    Matcher,
    Op,
    Place,
    Sli,
    SlicedSli,
    Slo,
    Window,
)
from tests.rules.backend import Series
from tests.rules.counters import DAY_S, EPOCH_S, HOUR_S, SLOT_S, Counter, Counts, Events, Samples, Scrapes, scraped

MONTH_S = 30 * DAY_S
PER_MIN = SLOT_S / 60  # a rate a minute, in a slot
TTFT_S = 2.0
OWN = "http_requests_total"

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Scenario:
    """One SLO over known traffic, judged in the hour that begins at `asked_s`.

    `sloth_bad` and `sloth_total` are what a user of Sloth writes for it, `{{.window}}` in the ranges. `group` picks the
    judged budget where there are several.
    """

    name: str
    slo: Slo
    series: tuple[Series, ...]
    bad: Events | Samples
    total: Events | Samples
    asked_s: int
    sloth_bad: str
    sloth_total: str
    group: dict[str, str] = field(default_factory=dict)
    away: tuple[tuple[int, int], ...] = ()  # the server is: nothing is scraped, nothing is evaluated


@dataclass(frozen=True, slots=True)
class Span:
    """Time to fill with events: `seconds` in slots."""

    seconds: int

    @property
    def at_s(self) -> Counts:
        """The start of every slot."""
        return np.arange(self.seconds // SLOT_S, dtype=np.int64) * SLOT_S

    @property
    def hour(self) -> Counts:
        """The hour of the day of every slot."""
        return self.at_s // HOUR_S % 24

    @property
    def day(self) -> Counts:
        """The number of the day of every slot; 0 is a Monday."""
        return self.at_s // DAY_S


SPAN = Span(31 * DAY_S + 14 * HOUR_S)
ASKED_S = 31 * DAY_S + 12 * HOUR_S  # Thursday noon, in full traffic


def scenarios(only: Collection[str] | None = None) -> Iterator[Scenario]:
    """Yield every scenario of a 30 d window, or those of some names."""
    for made in MADE:
        name = made.__name__.replace("_", "-")
        if only is None or name in only:
            yield made(np.random.default_rng(crc32(name.encode())))


def day_night(rng: Rng) -> Scenario:
    """40 to 1 between day and night, and nights with 30 % errors; asked at night."""
    total = _daily(rng)
    bad = rng.binomial(total, np.where((SPAN.hour == 3) & (SPAN.day % 2 == 0), 0.3, 0.001))
    return availability("day-night", outcomes("day-night", total, bad), asked_s=31 * DAY_S + 3 * HOUR_S)


def bursts(rng: Rng) -> Scenario:
    """One heavy hour in 97 and a job that fails in the first 20 s of each hour."""
    heavy = np.where(SPAN.at_s // HOUR_S % 97 == 0, 600.0, 6.0)
    total = rng.poisson(heavy * PER_MIN)
    bad = rng.binomial(total, np.where(heavy > 100, 0.02, 0.0005))
    job = np.where(SPAN.at_s % HOUR_S < 20, 3, 0)
    return availability("bursts", outcomes("bursts", total + job, bad + job))


def idle(rng: Rng) -> Scenario:
    """Nothing at night and at weekends, then 10 requests a minute; errors on Tuesdays."""
    busy = (SPAN.day % 7 < 5) & (SPAN.hour >= 8) & (SPAN.hour < 19)
    total = rng.poisson(np.where(busy, 10.0, 0.0) * PER_MIN)
    bad = rng.binomial(total, np.where(SPAN.day % 7 == 1, 0.03, 0.001))
    return availability("idle", outcomes("idle", total, bad), asked_s=31 * DAY_S + 5 * HOUR_S)


def few(rng: Rng) -> Scenario:
    """10 requests an hour, 3 % bad."""
    total = rng.poisson(10 / 60 * PER_MIN, len(SPAN.at_s))
    return availability("few", outcomes("few", total, rng.binomial(total, 0.03)))


def late_errors(rng: Rng) -> Scenario:
    """No error series before day 20: a counter that its process makes at the first error."""
    total = _daily(rng)
    bad = rng.binomial(total, np.where(SPAN.day >= 20, 0.02, 0.0))
    return _own("late-errors", total, bad, Scrapes())


def resets(rng: Rng) -> Scenario:
    """A restart every 41 h, all labels kept."""
    total = _daily(rng)
    bad = rng.binomial(total, 0.004)
    at_s = tuple(range(17 * HOUR_S + 925, SPAN.seconds, 41 * HOUR_S + 35))
    return availability("resets", [replace(each, resets_s=at_s) for each in outcomes("resets", total, bad)])


def restarts_at_full_hours(rng: Rng) -> Scenario:
    """A restart every 13 h within a minute and a half of a full hour, between the scrapes around it too."""
    total = _daily(rng)
    bad = rng.binomial(total, 0.004)
    off_s = (-60, -20, 0, 20, 40, 60, 90)
    hours_s = range(17 * HOUR_S, SPAN.seconds - HOUR_S, 13 * HOUR_S)
    at_s = tuple(each + off_s[place % len(off_s)] for place, each in enumerate(hours_s))
    name = "restarts-at-full-hours"
    return availability(name, [replace(each, resets_s=at_s) for each in outcomes(name, total, bad)])


def instances(rng: Rng) -> Scenario:
    """Two instances, one of them bad, from day 12 to 25 a third."""
    counters = []
    for name, share, born_s, gone_s in (
        ("a:9400", 0.001, 0, None),
        ("b:9400", 0.02, 0, None),
        ("c:9400", 0.2, 12 * DAY_S + 6 * HOUR_S + 1815, 25 * DAY_S + 1235),
    ):
        total = _daily(rng)
        made = outcomes("instances", total, rng.binomial(total, share), instance=name)
        counters += [replace(each, born_s=born_s, gone_s=gone_s) for each in made]
    return availability("instances", counters)


def deploys(rng: Rng) -> Scenario:
    """A new pod every day at 10:20, the old one gone: every series begins anew under another name."""
    counters = []
    for day in range(int(SPAN.day[-1]) + 1):
        total = _daily(rng)
        start_s = day * DAY_S + (10 * HOUR_S + 1215 if day else 0)
        made = outcomes("deploys", total, rng.binomial(total, 0.01), instance=f"pod-{day}:9400")
        end_s = min((day + 1) * DAY_S + 10 * HOUR_S + 1215, SPAN.seconds)
        counters += [replace(each, born_s=start_s, gone_s=end_s) for each in made if start_s < end_s]
    return availability("deploys", counters)


def replicas(rng: Rng) -> Scenario:
    """Every series twice, by two servers; one of them is away for three days that hold an outage."""
    total = _daily(rng)
    outage = (SPAN.at_s >= 22 * DAY_S + 9 * HOUR_S) & (SPAN.at_s < 22 * DAY_S + 12 * HOUR_S)
    bad = rng.binomial(total, np.where(outage, 0.6, 0.002))
    counters, away = outcomes("replicas", total, bad), ((21 * DAY_S, 24 * DAY_S),)
    made = availability("replicas", counters)
    one = [scraped(each, Scrapes(), replica="a") for each in counters]
    other = [scraped(each, Scrapes(offset_s=10, gaps=away), replica="b") for each in counters]
    return replace(made, series=(*one, *other))


def gap(rng: Rng) -> Scenario:
    """Ten minutes without a scrape, over a full hour, in an outage; twice more on quiet days."""
    total = _daily(rng)
    outage = (SPAN.at_s >= 29 * DAY_S + 10 * HOUR_S) & (SPAN.at_s < 29 * DAY_S + 12 * HOUR_S)
    bad = rng.binomial(total, np.where(outage, 0.5, 0.002))
    begins_s = (29 * DAY_S + 11 * HOUR_S - 240, 9 * DAY_S + 13 * HOUR_S - 540, 16 * DAY_S + 9 * HOUR_S + 1200)
    gaps = tuple((start_s, start_s + 600) for start_s in begins_s)
    return availability("gap", outcomes("gap", total, bad), scrapes=Scrapes(gaps=gaps))


def vanished(rng: Rng) -> Scenario:
    """A service that was taken down ten hours ago, after two weeks of silence in the middle."""
    total = _daily(rng)
    total[(SPAN.day >= 8) & (SPAN.day < 22)] = 0
    bad = rng.binomial(total, 0.006)
    gone_s = 31 * DAY_S + 2 * HOUR_S + 1815
    counters = [replace(each, gone_s=gone_s) for each in outcomes("vanished", total, bad)]
    return availability("vanished", counters)


def restarts(rng: Rng) -> Scenario:
    """A server that is away for minutes: over a full hour in an outage, by day, and when an hour is read back."""
    total = _daily(rng)
    outage = (SPAN.at_s >= 29 * DAY_S + 10 * HOUR_S) & (SPAN.at_s < 29 * DAY_S + 12 * HOUR_S)
    before = (SPAN.at_s // DAY_S % 4 == 0) & (SPAN.hour == 13)
    bad = rng.binomial(total, np.where(outage, 0.5, np.where(before, 0.3, 0.002)))
    begins_s = (29 * DAY_S + 11 * HOUR_S - 120, 9 * DAY_S + 13 * HOUR_S - 60, 16 * DAY_S + 9 * HOUR_S + 1200)
    # The hour of an outage is over; its record is read in the middle of the next one, and near its end.
    begins_s += (4 * DAY_S + 14 * HOUR_S + 1475, 8 * DAY_S + 14 * HOUR_S + 2700, 12 * DAY_S + 14 * HOUR_S + 1380)
    away = tuple((start_s, start_s + 420) for start_s in begins_s)
    made = availability("restarts", outcomes("restarts", total, bad), scrapes=Scrapes(gaps=away))
    return replace(made, away=away)


def fresh(rng: Rng) -> Scenario:
    """An outage that began two minutes into the running hour; 60 requests a minute."""
    total = rng.poisson(60 * PER_MIN, len(SPAN.at_s))
    bad = rng.binomial(total, np.where(SPAN.at_s >= ASKED_S + 120, 0.9, 0.0005))
    return availability("fresh", outcomes("fresh", total, bad))


def fast_scrapes(rng: Rng) -> Scenario:
    """Read every 15 s while the SLO file says nothing, so 1m; the failing job at each full hour."""
    total = _daily(rng)
    job = np.where(SPAN.at_s % HOUR_S < 20, 3, 0)
    counters = outcomes("fast-scrapes", total + job, rng.binomial(total, 0.001) + job)
    return availability("fast-scrapes", counters, scrapes=Scrapes(15, 10))


def by_model(rng: Rng) -> Scenario:
    """Two budgets; judged is the model with a hundredth of the traffic, whose errors come late."""
    much = rng.poisson(60 * PER_MIN, len(SPAN.at_s))
    counters = outcomes("by-model", much, rng.binomial(much, 0.05), model="large")
    little = rng.poisson(0.6 * PER_MIN, len(SPAN.at_s))
    judged = outcomes("by-model", little, rng.binomial(little, np.where(SPAN.day >= 26, 0.1, 0.0)), model="small")
    made = availability("by-model", judged)
    series = (*made.series, *(scraped(each, Scrapes()) for each in counters))
    bad, total = (
        f"sum by ({MODEL.name})({each.removeprefix('sum')[1:-1]})" for each in (made.sloth_bad, made.sloth_total)
    )
    slo = replace(made.slo, group_by=(MODEL.name,))
    return replace(made, slo=slo, series=series, group={MODEL.name: "small"}, sloth_bad=bad, sloth_total=total)


def first_tokens(rng: Rng) -> Scenario:
    """A classic histogram and the streams without a first token: three metrics make bad and total."""
    streams = _daily(rng)
    none = rng.binomial(streams, np.where(SPAN.hour == 3, 0.2, 0.001))
    slow = rng.binomial(streams - none, np.where(SPAN.day % 5 == 0, 0.08, 0.02))
    labels = _labels("first-tokens")
    within = Counter(f"{TTFT.name}_bucket", {**labels, "le": f"{TTFT_S:.1f}"}, streams - none - slow)
    every = Counter(f"{TTFT.name}_count", labels, streams - none)
    infinite = Counter(f"{TTFT.name}_bucket", {**labels, "le": "+Inf"}, streams - none)
    ended = {**labels, "closed_by": "none", STREAM_OUTCOME.name: "completed", FIRST_TOKEN.name: "true"}
    done = Counter(STREAMS.name, ended, streams - none)
    lost = Counter(STREAMS.name, {**ended, STREAM_OUTCOME.name: "truncated", FIRST_TOKEN.name: "false"}, none)
    scrapes, chosen = Scrapes(), _chosen("first-tokens")
    slo = _slo("first-tokens", CatalogSli("ttft", "llmslo", chosen, TTFT_S), Decimal(95))
    where = f'{NAMESPACE.name}="first-tokens"'
    count, bucket = f"{every.name}{{{where}}}[{{{{.window}}}}]", f'{within.name}{{{where},le="2.0"}}[{{{{.window}}}}]'
    gone = f'sum(rate({STREAMS.name}{{{where},{FIRST_TOKEN.name}="false"}}[{{{{.window}}}}]))'
    return Scenario(
        "first-tokens",
        slo,
        tuple(scraped(each, scrapes) for each in (within, every, infinite, done, lost)),
        Events([Counter("", {}, slow), lost], scrapes),
        Events([every, lost], scrapes),
        ASKED_S,
        f"sum(rate({count})) - sum(rate({bucket})) + {gone}",
        f"sum(rate({count})) + {gone}",
    )


def crashes(rng: Rng) -> Scenario:
    """For two days a restart every 13 minutes."""
    total = _daily(rng)
    bad = rng.binomial(total, np.where((SPAN.day == 24) | (SPAN.day == 25), 0.05, 0.002))
    at_s = tuple(range(24 * DAY_S + 215, 26 * DAY_S, 13 * 60 + 10))
    return availability("crashes", [replace(each, resets_s=at_s) for each in outcomes("crashes", total, bad)])


def own_good(rng: Rng) -> Scenario:
    """An SLI of good and all events by `increase`, in one instance of two; the good series begins after an hour."""
    name, scrapes = "own-good", Scrapes()
    total = _daily(rng)
    good = rng.binomial(total, np.where(SPAN.hour == 9, 0.7, 0.999))
    good[SPAN.at_s < HOUR_S] = 0
    labels = {"job": name, "instance": "a:80"}
    every = Counter("jobs_total", labels, total)
    done = Counter("jobs_done_total", labels, good, is_lazy=True)
    failed = Counter("", labels, total - good)
    of_good, of_total = (f'sum(increase({each.name}{{job="{name}"}}[WINDOW]))' for each in (done, every))
    sli = EventsSli(
        of_total.replace("WINDOW", "{{window}}"), EventFunction.INCREASE, good=of_good.replace("WINDOW", "{{window}}")
    )
    good_rate, total_rate = (
        each.replace("increase", "rate").replace("WINDOW", "{{.window}}") for each in (of_good, of_total)
    )
    return Scenario(
        name,
        _slo(name, sli, Decimal(99)),
        (scraped(every, scrapes), scraped(done, scrapes)),
        Events([failed], scrapes),
        Events([every], scrapes),
        ASKED_S,
        f"{total_rate} - {good_rate}",
        total_rate,
    )


def probes(rng: Rng) -> Scenario:
    """Samples as events: a probe a minute, and a series that has a sample only where it failed."""
    name = "probes"
    instants_s = Scrapes().instants(0, SPAN.seconds)
    instants_s = instants_s[instants_s // DAY_S % 6 != 4]  # no probes at all every sixth day
    failed = rng.random(len(instants_s)) < np.where(instants_s // HOUR_S % 24 == 6, 0.2, 0.001)
    series = tuple(
        Series(metric, {"job": name}, [(float(at_s + EPOCH_S), 1.0) for at_s in found.tolist()])
        for metric, found in (("probe_done", instants_s), ("probe_failed", instants_s[failed]))
    )
    of_total, of_bad = (f'sum(count_over_time({each.name}{{job="{name}"}}[WINDOW]))' for each in series)
    sli = EventsSli(
        of_total.replace("WINDOW", "{{window}}"), EventFunction.COUNT_OVER_TIME, of_bad.replace("WINDOW", "{{window}}")
    )
    return Scenario(
        name,
        _slo(name, sli, Decimal(99)),
        series,
        Samples(instants_s[failed]),
        Samples(instants_s),
        ASKED_S,
        of_bad.replace("WINDOW", "{{.window}}"),
        of_total.replace("WINDOW", "{{.window}}"),
    )


def slices(rng: Rng) -> Scenario:
    """Time in slices: a queue that is too long for some minutes."""
    name = "slices"
    instants_s = Scrapes().instants(0, SPAN.seconds)
    long = np.repeat(rng.random(len(instants_s) // 20 + 1) < 0.02, 20)[: len(instants_s)]
    values = np.where(long, 150.0, 20.0)
    queue = Series(
        "queue_length", {"job": name}, list(zip((instants_s + EPOCH_S).tolist(), values.tolist(), strict=True))
    )
    sli = SlicedSli(f'queue_length{{job="{name}"}} <= bool 100', condition=True)
    mean = f'avg_over_time((queue_length{{job="{name}"}} > bool 100)[{{{{.window}}}}:1m])'
    return Scenario(
        name, _slo(name, sli, Decimal(99)), (queue,), Samples(instants_s[long]), Samples(instants_s), ASKED_S, mean, "1"
    )


MADE: tuple[Callable[[Rng], Scenario], ...] = (
    *(
        day_night,
        bursts,
        idle,
        few,
        late_errors,
        resets,
        restarts_at_full_hours,
        crashes,
        instances,
        deploys,
        replicas,
        gap,
        restarts,
    ),
    *(vanished, fresh, fast_scrapes, by_model, first_tokens, own_good, probes, slices),
)


def _daily(rng: Rng) -> Counts:
    """120 requests a minute from 8 to 20 h, 3 at night."""
    busy = (SPAN.hour >= 8) & (SPAN.hour < 20)
    return rng.poisson(np.where(busy, 120.0, 3.0) * PER_MIN)


def _labels(name: str, **more: str) -> dict[str, str]:
    shared = {NAMESPACE.name: name, WORKLOAD.name: "chat", "provider": "openai", MODEL.name: "m", "operation": "chat"}
    return {**shared, ROLE.name: "client", "instance": "a:9400", "job": "llmslo", **more}


def outcomes(name: str, total: Counts, bad: Counts, **more: str) -> list[Counter]:
    """Return the counters of good and of bad requests, in this order."""
    labels = {**_labels(name, **more), "retry": "false"}
    good = Counter(REQUESTS.name, {**labels, OUTCOME.name: "ok"}, total - bad)
    return [good, Counter(REQUESTS.name, {**labels, OUTCOME.name: "server_error"}, bad)]


def _chosen(name: str) -> tuple[Matcher, ...]:
    return (Matcher(NAMESPACE.name, Op.EQUAL, name), Matcher(ROLE.name, Op.EQUAL, "client"))


def _slo(name: str, sli: Sli, objective: Decimal = Decimal("99.5")) -> Slo:
    return Slo("truth", name, sli, objective, Window(MONTH_S), Alerting(f"Truth{name}"), Place("truth.yaml", 1))


def availability(
    name: str, counters: list[Counter], asked_s: int = ASKED_S, scrapes: Scrapes | None = None
) -> Scenario:
    scrapes = scrapes or Scrapes()
    where = f'{REQUESTS.name}{{{NAMESPACE.name}="{name}"'
    return Scenario(
        name,
        _slo(name, CatalogSli("availability", "llmslo", _chosen(name))),
        tuple(scraped(each, scrapes) for each in counters),
        Events([each for each in counters if each.labels[OUTCOME.name] != "ok"], scrapes),
        Events(counters, scrapes),
        asked_s,
        f'sum(rate({where},{OUTCOME.name}!="ok"}}[{{{{.window}}}}]))',
        f"sum(rate({where}}}[{{{{.window}}}}]))",
    )


def _own(name: str, total: Counts, bad: Counts, scrapes: Scrapes) -> Scenario:
    """A service that is not ours: counters by status, made at their first event."""
    labels = {"job": name, "instance": "a:80"}
    good = Counter(OWN, {**labels, "code": "200"}, total - bad, is_lazy=True)
    failed = Counter(OWN, {**labels, "code": "503"}, bad, is_lazy=True)
    of_bad, of_total = (f'sum(rate({OWN}{{job="{name}"{more}}}[WINDOW]))' for more in (',code=~"5.."', ""))
    sli = EventsSli(
        of_total.replace("WINDOW", "{{window}}"), EventFunction.RATE, of_bad.replace("WINDOW", "{{window}}")
    )
    return Scenario(
        name,
        _slo(name, sli),
        (scraped(good, scrapes), scraped(failed, scrapes)),
        Events([failed], scrapes),
        Events([good, failed], scrapes),
        ASKED_S,
        of_bad.replace("WINDOW", "{{.window}}"),
        of_total.replace("WINDOW", "{{.window}}"),
    )
