"""How long texts and lists may be, wherever they are read or written. Lengths are in characters unless noted."""

MAX_TITLE = 255
MAX_NAME = 255
MAX_LINE = 2_048
"""Of a text of one line, a link too."""
MAX_TEXT = 8_000
"""Of a text of several lines."""
MAX_EMAIL = 254
"""Octets of a mail address (RFC 5321 section 4.5.3.1.3, less the angle brackets)."""
MAX_PARTICIPANTS = 500
