"""The demo console: one page that shows the platform at work, on the public API alone. Never part of production."""
