"""Replies: the outcome of a command. A domain refusal is a reply, never an exception that crosses the bus."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from contracts.api.errors import ApiError, ErrorCode
from contracts.model import Contract
from contracts.transport.registry import message
from contracts.transport.topics import GATEWAY_REPLIES


class Outcome(StrEnum):
    """``OK`` done; ``REJECTED`` refused by the domain; ``FAILED`` given up after technical errors."""

    OK = "OK"
    REJECTED = "REJECTED"
    FAILED = "FAILED"


class ReplyError(Contract):
    """Why a command was not carried out: an entry of the error table."""

    code: str = Field(examples=["BE0420"])
    message: str
    details: list[str] | None = None
    retry_after: int | None = Field(default=None, description="seconds after which the same command may succeed")

    @classmethod
    def of(cls, refusal: ApiError) -> "ReplyError":
        return cls(
            code=refusal.code.code,
            message=refusal.message,
            details=refusal.details,
            retry_after=refusal.retry_after,
        )

    @property
    def refusal(self) -> ApiError:
        return ApiError(
            ErrorCode.of(self.code), details=self.details, message=self.message, retry_after=self.retry_after
        )


@message("gateway.command.replied.v1", GATEWAY_REPLIES)
class Reply(Contract):
    """The answer to the command message that ``ce_causationid`` names."""

    outcome: Outcome
    version: int | None = Field(default=None, description="the meeting's version, for the ETag")
    data: Any = Field(default=None, description="the view of the aggregate after the command, for the caller")
    error: ReplyError | None = None
