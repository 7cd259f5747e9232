"""`python -m simulators.mail`: the mail sink as a process of its own."""

from __future__ import annotations

from pathlib import Path

from simulators.common.serve import ServeSettings, serve
from simulators.mail.app import create_app


class Settings(ServeSettings):
    """Besides where the page is: SMTP_PORT on the same host, and MAIL_DIR, the folder that keeps the mails.

    REPLIES_PORT, on the same host: where replies to mails are handed to.
    """

    http_port: int = 8025
    smtp_port: int = 1025
    replies_port: int = 1026
    mail_dir: Path


if __name__ == "__main__":
    settings = Settings()
    app = create_app(
        settings.mail_dir,
        smtp_host=settings.http_host,
        smtp_port=settings.smtp_port,
        replies_port=settings.replies_port,
    )
    serve(app, settings)
