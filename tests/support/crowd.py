"""Settings for runs in which few people stand for a crowd: without the limits that are there for people."""

NO_MAIL_LIMITS = {"MAILS_PER_CLIENT": "0", "MAILS_PER_USER": "0", "MAILS_PER_TENANT": "0"}
"""For meeting-core."""
NO_MAILBOX_LIMIT = {"MAILS_PER_MAILBOX": "0"}
"""For invitations."""
