"""Settings of meeting-core."""

from chassis.settings import DatabaseSettings
from pydantic import Field

from meeting_core.domain.mail_budget import MailAllowance


class Settings(DatabaseSettings):
    service_name: str = "meeting-core"
    http_port: int = 8091
    mongodb_database: str = "meeting_core"
    resend_cooldown: float = Field(
        default=60, ge=0, description="seconds after a resend in which its recipient is skipped"
    )

    idempotency_retention: float = Field(
        default=86_400,
        ge=86_400,
        description="how long a command with an `Idempotency-Key` is remembered, a day at least",
    )

    search_concurrency: int = Field(default=4, ge=1, description="searches in the database at once")
    search_concurrency_per_tenant: int = Field(default=2, ge=1, description="of these, for one tenant")
    search_timeout: float = Field(
        default=3, gt=0, description="how long a search may take in the database before it is ended"
    )
    list_timeout: float = Field(default=5, gt=0, description="the same for a list or an availability check")
    list_concurrency: int = Field(default=8, ge=1, description="lists and availability checks at once")
    list_concurrency_per_tenant: int = Field(default=4, ge=1, description="of these, for one tenant")

    externals_of_client: int = Field(
        default=5, ge=0, description="external guests of a meeting to which a `CLIENT` invites some; 0 = no limit"
    )
    addresses_per_mailbox: int = Field(
        default=3, ge=0, description="addresses of one mailbox (`a+1@…`, `a+2@…`) in one meeting; 0 = no limit"
    )
    mails_per_client: int = Field(
        default=200, ge=0, description="mails to guests that one `CLIENT` may cause in an hour; 0 = no limit"
    )
    mails_per_user: int = Field(default=3_000, ge=0, description="the same for one staff member")
    mails_per_tenant: int = Field(default=30_000, ge=0, description="the same for all users of one tenant")
    mails_by_tenant: dict[str, MailAllowance] = Field(
        default_factory=dict,
        description='tenants with other limits, as JSON: `{"T…": {"perClient": 50, "perUser": 500, "perTenant": 0}}`',
    )

    @property
    def mail_allowance(self) -> MailAllowance:
        """The allowance of tenants that have none of their own."""
        return MailAllowance(
            per_client=self.mails_per_client, per_user=self.mails_per_user, per_tenant=self.mails_per_tenant
        )
