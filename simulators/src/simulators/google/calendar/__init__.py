"""Calendar API v3 (developers.google.com/workspace/calendar/api/v3/reference)."""
