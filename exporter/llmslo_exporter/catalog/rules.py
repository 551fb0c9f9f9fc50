"""Names of what rulegen records and alerts with: records, labels, kinds."""

from __future__ import annotations

# Labels. SERVICE and SLO stand on every record of ours: its identity, and nothing that changes.
SERVICE_LABEL = "service"
SLO_LABEL = "slo"
SEVERITY = "severity"
TIER = "tier"
LONG_WINDOW = "long_window"
SHORT_WINDOW = "short_window"
BURN_RATE = "burn_rate"
KIND = "kind"
MUTES = "mutes"  # the tier that must not notify
AFTER = "after"  # the tiers that may have told before it
MEMORY = "memory"  # how long what they told counts
SLOTH_ID = "sloth_id"
SLOTH_SERVICE = "sloth_service"
SLOTH_SLO = "sloth_slo"
SLOTH_WINDOW = "sloth_window"
SLOTH_SEVERITY = "sloth_severity"
SLOTH_VERSION = "sloth_version"
SLOTH_MODE = "sloth_mode"
SLOTH_SPEC = "sloth_spec"
SLOTH_OBJECTIVE = "sloth_objective"
SLOTH_PREFIX = "sloth_"
OBJECTIVE = "objective"
WINDOW_LABEL = "window"
# What rulegen sets itself: a label of a team's own by such a name would overwrite it.
RESERVED_LABELS = (
    *("alertname", "alertstate", "le", SERVICE_LABEL, SLO_LABEL, SEVERITY, TIER, LONG_WINDOW, SHORT_WINDOW),
    *(BURN_RATE, KIND, MUTES, AFTER, MEMORY, OBJECTIVE, WINDOW_LABEL),
)

# Kinds of alerts that are no burn.
ABSENT = "absent"
EXHAUSTED = "exhausted"
NONSENSE = "nonsense"
KINDS = (ABSENT, EXHAUSTED, NONSENSE)

# Records. Events are counts, no rates. A window's length follows: `slo:bad_events:increase5m`.
BAD = "slo:bad_events"
TOTAL = "slo:total_events"
INCREASE = ":increase"  # over the window that ends now
HOUR = ":hour"  # of the last full hour of the clock
HOUR_SO_FAR = ":hour_so_far"  # since that hour's end
DAY = ":day"  # of the last full day, UTC
DAY_SO_FAR = ":day_so_far"  # since that day's end, to the end of the last full hour
SLICE_BAD = "slo:slice_bad:ratio"  # bad share of this instant, where time is judged slice by slice
COVERED_SINCE = "slo:window_begin:timestamp_seconds"  # where the data of the window begins
COVERED = "slo:window_covered:ratio"  # share of the window that has data
SPENT = "slo:budget_spent:ratio"  # share of the window's budget that is gone
FIRING = "slo:burn_alert:firing"  # 1 while a tier fires, else 0
INFO = "slo:info"  # always 1: objective, window and the team's labels

# Sloth's records; a window's length follows RATIO.
SLOTH_RATIO = "slo:sli_error:ratio_rate"
SLOTH_OBJECTIVE_RATIO = "slo:objective:ratio"
SLOTH_BUDGET = "slo:error_budget:ratio"
SLOTH_PERIOD = "slo:time_period:days"
SLOTH_CURRENT = "slo:current_burn_rate:ratio"
SLOTH_BURNT = "slo:period_burn_rate:ratio"
SLOTH_REMAINING = "slo:period_error_budget_remaining:ratio"
SLOTH_INFO = "sloth_slo_info"

# Pyrra's generic records, for its Grafana pages; written where asked for.
PYRRA_OBJECTIVE = "pyrra_objective"
PYRRA_WINDOW = "pyrra_window"
PYRRA_AVAILABILITY = "pyrra_availability"
PYRRA_REQUESTS = "pyrra_requests:rate5m"
PYRRA_ERRORS = "pyrra_errors:rate5m"

# Of the alerts that tell Alertmanager which burn alert would repeat another one: their kind and records.
ALREADY_NOTIFIED = "already_notified"
TOLD = "slo:tier_told:timestamp_seconds"  # when a tier began that fires and is no follower
LED_SINCE = "slo:tier_led_since:timestamp_seconds"  # when the first of AFTER began
BEGAN = "slo:tier_began:timestamp_seconds"  # when the tier itself began
FOLLOWS = "slo:tier_follows:timestamp_seconds"  # there where it began after one of them
HELD = "slo:tier_held:timestamp_seconds"  # there where it began after a slower tier that fires

# What the documentation says of our records.
RECORDS = (
    (f"{TOTAL}{INCREASE}W", "events of the last W; where W is the SLO's own window, since it began: at a full hour"),
    (f"{BAD}{INCREASE}W", "bad ones of them"),
    (f"{TOTAL}{HOUR}, {BAD}{HOUR}", "of the last full hour of the clock"),
    (f"{TOTAL}{HOUR_SO_FAR}, {BAD}{HOUR_SO_FAR}", "since the last full hour"),
    (f"{TOTAL}{DAY}, {BAD}{DAY}", "of the last full day, UTC; only where a window is summed by day"),
    (f"{TOTAL}{DAY_SO_FAR}, {BAD}{DAY_SO_FAR}", "since midnight, to the last full hour"),
    (SLICE_BAD, "bad share of this instant, where time is judged slice by slice"),
    (COVERED_SINCE, "where the data of the window begin; recorded for five minutes each half hour"),
    (COVERED, "share of the window that has data"),
    (SPENT, "share of the window's budget that is gone: bad / (allowed x total x window / covered)"),
    (FIRING, f"1 while the burn alert of `{TIER}` fires, else 0"),
    (INFO, "always 1: objective, window and the labels of the SLO file"),
)
