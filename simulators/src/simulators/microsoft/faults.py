"""What can go wrong with a request on purpose, before it is carried out or after."""

from fastapi import Request

from simulators.common.delivery import NOTIFICATION_FAULTS
from simulators.common.faults import Fault, FaultPlan, hold

KINDS = NOTIFICATION_FAULTS | {
    "latency": "The request waits `seconds` before anything happens.",
    "error": "Nothing is done; the answer is `status` with `reason` (and Retry-After, if given).",
    "not_found": "Nothing is done; the answer is 404, as if there were no such event, calendar or mailbox folder.",
    "commit_then_error": "The request is carried out, then answered with `status`.",
    "commit_then_timeout": "The request is carried out, but there is no answer for `seconds` (default 60), then 504.",
    "token_death": "login.token refuses a refresh; `reason` is one of the reasons of /_control/.../revoke.",
    "admin_consent": "login.authorize ends in access_denied: an administrator has to consent.",
    "empty_page": "A page of calendarView.delta is empty, yet has a next link.",
    "repeated_items": "The items of a page of calendarView.delta come twice.",
    "removed_as_changed": "Removed items of a page of calendarView.delta have the reason `changed`, not `deleted`.",
    "untold_removal": "Occurrences that were removed from their series are left out of a page of calendarView.delta.",
    "subscription_gone": "subscriptions.renew finds that the subscription was removed (404).",
}
_NO_ANSWER_SECONDS = 60.0


async def before(plan: FaultPlan, request: Request, account: str | None, operation: str) -> Fault | None:
    """Wait if a fault says so; the fault that makes the request fail before it is carried out, or None."""
    if slow := plan.draw("latency", account=account, operation=operation):
        await hold(request, slow.seconds)
    if absent := plan.draw("not_found", account=account, operation=operation):
        return absent.model_copy(update={"status": 404, "reason": "ErrorItemNotFound", "retry_after": None})
    return plan.draw("error", account=account, operation=operation)


async def after(plan: FaultPlan, request: Request, account: str | None, operation: str) -> Fault | None:
    """The fault that spoils the answer of a request that was carried out, or None; a timeout is waited for here."""
    if fault := plan.draw("commit_then_error", account=account, operation=operation):
        return fault
    if fault := plan.draw("commit_then_timeout", account=account, operation=operation):
        await hold(request, fault.seconds or _NO_ANSWER_SECONDS)
        return fault.model_copy(update={"status": 504})
    return None


def retry_after(fault: Fault) -> dict[str, str]:
    """The header of a fault that has one."""
    return {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
