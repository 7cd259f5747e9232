"""Prometheus metrics of the webhooks."""

from prometheus_client import Counter

NOTIFICATIONS = Counter("webhook_notifications", "Notifications of providers by outcome", ["outcome"])
