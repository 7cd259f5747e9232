"""Prometheus metrics that every service has. Label values are bounded: names of topics, groups, types, routes."""

from prometheus_client import Counter, Gauge, Histogram

_LATENCIES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

MESSAGES = Counter("messages_handled", "Records by outcome", ["topic", "group", "outcome"])
BATCH_SECONDS = Histogram("batch_seconds", "Time to handle one batch of records", ["group"], buckets=_LATENCIES)
BATCH_RECORDS = Histogram(
    "batch_records", "Records in a batch", ["group"], buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
CONSUMER_LAG = Gauge("consumer_lag", "Records not handled yet", ["topic", "group"])
OUTAGES = Counter("outages_met", "Times that a batch or job waited for a dependency", ["group"])
PUBLISHED = Counter("messages_published", "Records acknowledged by the broker", ["topic"])
OUTBOX_OLDEST = Gauge("outbox_oldest_seconds", "How long the oldest unpublished event has been overdue for the relay")
OUTBOX_RELAYED = Counter("outbox_relayed", "Documents whose events the relay published")
REQUESTS = Counter("http_requests", "Answered requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("http_request_seconds", "Time to answer", ["method", "route"], buckets=_LATENCIES)
REPLIES_PENDING = Gauge("replies_pending", "Commands whose reply is awaited")
REPLIES_UNMATCHED = Counter("replies_unmatched", "Replies that no request here waits for")
JOB_ATTEMPTS = Counter("job_attempts", "Attempts at jobs by outcome", ["queue", "outcome"])
JOB_SECONDS = Histogram("job_seconds", "Duration of one attempt at a job", ["queue"], buckets=(*_LATENCIES, 30, 60))
JOBS_RUNNING = Gauge("jobs_running", "Jobs that this process has claimed", ["queue"])
JOB_OVERDUE_SECONDS = Gauge("job_overdue_seconds", "How long the longest due or blocked job has waited", ["queue"])
LEASES_EXPIRED = Counter("leases_expired", "Leases of jobs that expired because their worker crashed", ["queue"])
