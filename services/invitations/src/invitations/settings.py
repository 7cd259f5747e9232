"""Settings of invitations."""

from enum import StrEnum
from pathlib import Path

from chassis.settings import DatabaseSettings
from contracts.values.enums import Language
from pydantic import Field, SecretStr

from invitations.domain.host_notice import HostMails


class MailTls(StrEnum):
    """How the connection to the mail server is encrypted."""

    STARTTLS = "starttls"  # RFC 3207; never sent in the clear when the server does not offer it
    IMPLICIT = "implicit"  # RFC 8314
    NONE = "none"


class SmtpSettings(DatabaseSettings):
    """The mail server, and how hard it may be used."""

    smtp_host: str = Field(default="localhost", description="the mail server")
    smtp_port: int = Field(default=587, description="its submission port (RFC 6409)")
    smtp_tls: MailTls = Field(default=MailTls.STARTTLS, description="`starttls`, `implicit` or `none`")
    smtp_ca_file: Path | None = Field(default=None, description="instead of the system's certificate authorities")
    smtp_username: str | None = Field(default=None, description="unset: no authentication")
    smtp_password: SecretStr | None = Field(default=None, description="of `SMTP_USERNAME`")
    smtp_timeout: float = Field(default=30, description="for connecting, and for each reply")
    smtp_connections: int = Field(default=8, ge=1, description="open at once, and so mails sent at once")
    smtp_per_domain: int = Field(default=4, ge=1, description="mails sent at once to one recipient domain")
    smtp_mails_per_connection: int = Field(default=100, ge=1, description="then a new one is opened")
    smtp_idle: float = Field(default=30, description="an unused connection is closed after this long")


class InboundProtocol(StrEnum):
    """How the firm's mail server hands mails over."""

    SMTP = "smtp"
    LMTP = "lmtp"  # RFC 2033


class InboundSettings(DatabaseSettings):
    """Mails that come in: guests' replies, and mails that return."""

    reply_address: str | None = Field(
        default=None,
        description="the address whose mails reach this service, with any `+tag`: guests' programs reply to it and "
        "mails return to it; at most 14 characters before the @. Unset: answers by mail are not read",
    )
    inbound_host: str = Field(default="127.0.0.1", description="where the listener is; for the mail server alone")
    inbound_port: int = Field(default=8125, description="its port")
    inbound_protocol: InboundProtocol = Field(default=InboundProtocol.SMTP, description="`smtp` or `lmtp`")
    inbound_connections: int = Field(default=100, ge=1, description="open at once")
    inbound_max_bytes: int = Field(default=512 * 1024, ge=1024, description="the largest mail that is taken")
    inbound_timeout: float = Field(default=60, description="after which a silent connection is closed")
    replies_per_guest: int = Field(default=60, ge=0, description="mails in an hour that a guest's programs may send")
    trusted_authserv_id: str | None = Field(
        default=None,
        description="the name under which the receiving mail server writes `Authentication-Results` (RFC 8601), and "
        "removes forged ones. Unset: only replies to a guest's own signed address count",
    )


class MailboxSettings(InboundSettings):
    """A mailbox that is read over IMAP, where no mail server can hand mails to the listener."""

    imap_host: str | None = Field(
        default=None, description="the IMAP server of the mailbox of `REPLY_ADDRESS`. Unset: no mailbox is read"
    )
    imap_port: int = Field(default=993, description="its port: 993 for `implicit`, 143 for `starttls`")
    imap_tls: MailTls = Field(default=MailTls.IMPLICIT, description="`implicit`, `starttls` or `none`")
    imap_ca_file: Path | None = Field(default=None, description="instead of the system's certificate authorities")
    imap_username: str = Field(default="", description="the mailbox's user, often its address")
    imap_password: SecretStr | None = Field(default=None, description="of that user; or an app password")
    imap_password_file: Path | None = Field(
        default=None, description="has the password instead; read at each connection, so that it may be replaced"
    )
    imap_token_url: str | None = Field(
        default=None,
        description="where access tokens come from (RFC 6749 section 4.4), for XOAUTH2 instead of a password",
    )
    imap_client_id: str = Field(default="", description="of the application that may read the mailbox")
    imap_client_secret: SecretStr | None = Field(default=None, description="of `IMAP_CLIENT_ID`")
    imap_scope: str = Field(default="https://outlook.office365.com/.default", description="of the access token")
    imap_folder: str = Field(default="INBOX", description="the folder that is read, and emptied")
    imap_done_folder: str = Field(default="Meetings done", description="where mails go that were taken in")
    imap_set_aside_folder: str = Field(
        default="Meetings set aside", description="where mails go that a person should look at"
    )
    imap_interval: float = Field(default=15, gt=0, description="seconds between two reads")
    imap_retry_max: float = Field(default=900, gt=0, description="the longest pause after failed reads")
    imap_timeout: float = Field(default=30, gt=0, description="for connecting, and for each answer")
    imap_lease: float = Field(default=60, description="after which another replica reads on for one that died")


class Settings(SmtpSettings, MailboxSettings):
    service_name: str = "invitations"
    http_port: int = 8092
    mongodb_database: str = "invitations"

    mail_from: str = Field(description="`Name <address>`: the sender of all mails, and their ORGANIZER")
    ical_uid_domain: str | None = Field(
        default=None, description="the right side of UIDs and Message-IDs, for ever; default: that of MAIL_FROM"
    )
    default_language: Language = Field(default=Language.ENGLISH, description="of guests whose language is not known")
    meeting_core_url: str = Field(
        default="http://127.0.0.1:8091", description="where passwords of meetings are asked for"
    )
    query_timeout: float = Field(default=3, gt=0, description="seconds for an answer to that")
    public_base_url: str = Field(description="where guests reach the gateway; no slash at the end")
    rsvp_token_keys: SecretStr = Field(description="shared with the gateway; the first one signs")
    rsvp_link_grace: float = Field(default=7 * 86_400, description="how long after the meeting a link still works")

    host_mails: HostMails = Field(
        default=HostMails.DECLINES,
        description="what hosts are mailed about their guests: `none`; `declines`, proposed times and mails that did "
        "not arrive; `all`: every answer besides",
    )
    host_meetings: bool = Field(
        default=False,
        description="whether hosts without a connected calendar are mailed their meetings, for their calendar program",
    )
    mails_per_mailbox: int = Field(
        default=60,
        ge=0,
        description="mails to one mailbox (`a+1@…` and `a+2@…` are one) in an hour, for each replica; what is more "
        "waits, and changes meanwhile go with it; 0 = no limit",
    )
    update_window: float = Field(default=3, ge=0, description="how long an update waits for others to go with it")
    delivery_retry_initial: float = Field(default=5, description="pause after the first deferral; it doubles")
    delivery_retry_max: float = Field(default=900, description="the longest pause between attempts")
    delivery_give_up_after: float = Field(default=2 * 86_400, description="then a deferred mail has failed")
    delivery_lease: float = Field(default=20, description="after which another worker takes over from one that died")
    delivery_poll: float = Field(default=1, description="between looks for what other processes left to do")
