"""Prometheus metrics of the calendar sync."""

from prometheus_client import Counter, Gauge

SYNCS = Counter("calendar_syncs", "Inbound syncs by outcome", ["provider", "outcome"])
SYNC_AGE = Gauge("calendar_sync_age_seconds", "Age of the calendar that was read longest ago")
EVENTS_UNREADABLE = Counter("external_events_unreadable", "External events that were skipped", ["provider"])
CHANNEL_MAINTENANCE = Counter(
    "channel_maintenance", "Runs of the channel job, which creates, renews and stops channels", ["provider", "outcome"]
)
CHANNELS_OPEN = Gauge("calendar_channels_open", "Connected calendars with a notification channel", ["provider"])
CHANNELS_MISSING = Gauge(
    "calendar_channels_missing", "Connected calendars without one, which are only polled", ["provider"]
)
CHANNEL_EXPIRES_IN = Gauge("channel_expires_in_seconds", "When the first of these channels expires", ["provider"])
