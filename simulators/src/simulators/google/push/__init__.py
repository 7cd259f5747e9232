"""Notification channels (developers.google.com/workspace/calendar/api/guides/push)."""
