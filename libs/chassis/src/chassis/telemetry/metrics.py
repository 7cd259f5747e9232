"""Prometheus metrics that every service has. Label values are bounded: names of topics, groups, types, routes."""

from prometheus_client import Counter, Gauge, Histogram

_LATENCIES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

MESSAGES = Counter("messages_handled", "Records by how handling them ended", ["topic", "group", "outcome"])
BATCH_SECONDS = Histogram("batch_seconds", "Time to handle one batch of records", ["group"], buckets=_LATENCIES)
BATCH_RECORDS = Histogram(
    "batch_records", "Records in a batch", ["group"], buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
CONSUMER_LAG = Gauge("consumer_lag", "Records not handled yet", ["topic", "group"])
OUTAGES = Counter("outages_met", "Times a batch had to wait for a dependency", ["group"])
PUBLISHED = Counter("messages_published", "Records acknowledged by the broker", ["topic"])
OUTBOX_OLDEST = Gauge("outbox_oldest_seconds", "Age of the oldest event that waits for publication, beyond its grace")
OUTBOX_SWEPT = Counter("outbox_swept", "Documents whose events the sweeper had to publish")
REQUESTS = Counter("http_requests", "Answered requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("http_request_seconds", "Time to answer", ["method", "route"], buckets=_LATENCIES)
REPLIES_PENDING = Gauge("replies_pending", "Commands whose reply is awaited")
REPLIES_UNMATCHED = Counter("replies_unmatched", "Replies nobody here waits for: another gateway's, or late")
JOB_ATTEMPTS = Counter("job_attempts", "Attempts at jobs by outcome", ["queue", "outcome"])
JOB_SECONDS = Histogram("job_seconds", "Duration of one attempt at a job", ["queue"], buckets=(*_LATENCIES, 30, 60))
JOBS_RUNNING = Gauge("jobs_running", "Jobs that this process has claimed", ["queue"])
JOB_OVERDUE_SECONDS = Gauge("job_overdue_seconds", "How long the longest due or blocked job has waited", ["queue"])
LEASES_EXPIRED = Counter("leases_expired", "Leases of jobs that expired because their worker crashed", ["queue"])
HINTS = Counter("webhook_hints", "Notifications of providers by what became of them", ["outcome"])
EVENTS_UNREADABLE = Counter("external_events_unreadable", "External events that were skipped", ["provider"])
PULLS = Counter("calendar_pulls", "Attempts at reading external calendars by how they ended", ["provider", "outcome"])
FEED_AGE = Gauge("calendar_feed_age_seconds", "Since when the connected calendar read longest ago has not been read")
WATCHES = Counter(
    "calendar_watches", "Attempts at keeping push channels open by how they ended", ["provider", "outcome"]
)
CHANNELS_OPEN = Gauge("calendar_channels_open", "Connected calendars that a push channel watches", ["provider"])
CHANNELS_MISSING = Gauge(
    "calendar_channels_missing", "Connected calendars that no push channel watches: they are only polled", ["provider"]
)
CHANNEL_ENDS = Gauge("calendar_channel_ends_seconds", "How soon the first of these channels ends", ["provider"])
