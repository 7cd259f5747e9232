"""Watching: keeping one push channel open for each connected calendar, so that its provider tells us of changes.

A channel is in the sync state before anybody is asked for it, and known to webhook-ingest before the provider can use
it: its first notification may be faster than the provider's answer. Its secret is made for the call and kept nowhere.
Channels only make things fast: where none can be had, calendars are read at intervals all the same.
"""

import random
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from chassis.kafka.publisher import Publisher
from chassis.kafka.records import encode, envelope_for
from contracts.messages.calendar_channels import ChannelActivated, ChannelDeactivated, secret_hash
from contracts.transport.envelope import Message
from contracts.transport.topics import CALENDAR_SYNC
from contracts.values.enums import CalendarProvider
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now

from calendar_sync.inbound.model import Channel, ChannelState, InboundSyncState, SyncPhase
from calendar_sync.inbound.ports import ChannelReader, ChannelStore
from calendar_sync.providers.accounts import Account, Accounts, GrantRevokedError, ProviderUnavailableError
from calendar_sync.providers.authorized_calls import Answer, AuthorizedCalls, retry_delay
from calendar_sync.providers.errors import (
    AlreadyExistsError,
    CallFailedError,
    Failure,
    NotFoundError,
    PreconditionFailedError,
    UnauthorizedError,
    unavailable_failure,
)
from calendar_sync.providers.ports import CalendarAccess, CreatedChannel, NotificationChannels

log = structlog.get_logger()


_SECRET_BYTES = 32


_RENEWED_FROM, _RENEWED_BY = 0.75, 0.8
"""The share of its life after which a channel is renewed, spread so that those of one moment do not come together."""


@dataclass(slots=True)
class ChannelMaintenance:
    """The result of an attempt: the channels as they are now, and when to check them again."""

    channels: list[Channel]
    next_check_in: float | None = None
    """Seconds from now; None: not before it is requested."""
    failure: Failure | None = None
    retry_in: float = 0
    has_gap: bool = False
    """For a while there was no channel, so the changes of that time must be read."""


class ChannelManager:
    """Opens, renews and closes channels."""

    def __init__(
        self,
        providers: Mapping[CalendarProvider, NotificationChannels],
        channels: ChannelReader,
        accounts: Accounts,
        calls: AuthorizedCalls,
        publisher: Publisher,
        *,
        lifetime: timedelta,
        retry_initial: float = 5,
        retry_max: float = 600,
    ) -> None:
        """``lifetime`` that is asked for. ``retry_initial``, ``retry_max``: pauses in seconds after failures."""
        self._providers = providers
        self._channels = channels
        self._accounts = accounts
        self._calls = calls
        self._publisher = publisher
        self._lifetime = lifetime
        self._retry_initial = retry_initial
        self._retry_max = retry_max

    async def maintain(
        self, sync_state: InboundSyncState, *, attempt_number: int, store: ChannelStore
    ) -> ChannelMaintenance:
        """One attempt at one sync state's channels; ``attempt_number`` counts them from 1 since the last success.

        Raises:
            LeaseLostError: nothing more was done.
        """
        maintenance = ChannelMaintenance(list(sync_state.channels))
        if sync_state.phase is not SyncPhase.OPEN:
            await self._deactivate(maintenance.channels)
            return maintenance
        account = await self._accounts.connected(sync_state.tenant_uuid, sync_state.user_id)
        if account is None or account.generation != sync_state.generation:
            return maintenance  # the event that tells so is on its way
        authorized = _AuthorizedChannels(self._providers[sync_state.provider], self._calls, account)
        try:
            await self._ensure_open(maintenance, authorized, store)
        except GrantRevokedError:
            return maintenance  # so is the event that tells of this
        except ProviderUnavailableError as error:
            self._failed(maintenance, attempt_number, unavailable_failure(str(error), error.retry_after))
        except CallFailedError as error:
            self._failed(maintenance, attempt_number, error.failure)
        except (NotFoundError, PreconditionFailedError, AlreadyExistsError) as error:
            self._failed(
                maintenance, attempt_number, unavailable_failure(f"it does not let us watch: {type(error).__name__}")
            )
        else:
            maintenance.next_check_in = _seconds_until_next_check(maintenance.channels)
        return maintenance

    async def stop(self, account: Account, access_token: str) -> None:
        """Have the provider stop all channels of this account in this generation.

        Their rows are written by the worker that leases the sync state, so they stay until they expire.

        Raises:
            ProviderUnavailableError: not all are stopped yet.
        """
        provider, access = self._providers[account.provider], CalendarAccess(access_token, account.calendar_id)
        store = await self._channels.of(account.connection_id)
        calendar = _calendar_id(store, account, provider)
        stoppable = [
            (channel.channel_id, channel.remote_id or calendar)
            for channel in store
            if channel.generation == account.generation
        ]
        try:
            stoppable += [("", orphan) for orphan in await self._orphans(await provider.list_own(access))]
            for channel_id, remote_id in stoppable:
                if remote_id is not None:
                    with suppress(NotFoundError):
                        await provider.stop(access, channel_id, remote_id)
        except UnauthorizedError:
            return  # the grant ended already, and with it what was opened by it
        except CallFailedError as error:
            if error.failure.retryable:
                raise ProviderUnavailableError(error.failure.reason, retry_after=error.failure.retry_after) from None
            log.warning("channels cannot be stopped; they will expire", reason=error.failure.reason)

    # --- keeping one open ---------------------------------------------------------------------------------------

    async def _ensure_open(
        self, maintenance: ChannelMaintenance, authorized: "_AuthorizedChannels", store: ChannelStore
    ) -> None:
        """Afterwards one fresh channel is open, and no other. Raises as ``NotificationChannels`` does."""
        now = utc_now()
        await self._deactivate(
            [channel for channel in maintenance.channels if not channel.is_usable(authorized.account.generation, now)]
        )
        # Before opening, because Graph allows only one; the one that a new one replaces is closed after it.
        await self._stop_deactivated(maintenance, authorized)
        current = next((channel for channel in maintenance.channels if channel.state is ChannelState.OPEN), None)
        if current is not None and await self._renew(current, authorized):
            return
        await self._create(maintenance, authorized, store)
        maintenance.has_gap = current is None or current.state is ChannelState.CLOSING
        await self._deactivate([channel for channel in maintenance.channels[1:] if channel.state is ChannelState.OPEN])
        await self._stop_deactivated(maintenance, authorized)

    async def _renew(self, channel: Channel, authorized: "_AuthorizedChannels") -> bool:
        """Whether the channel needs no successor. A provider that can renew is asked each time: it may have lost it."""
        now = utc_now()
        try:
            renewed = await authorized.renew(channel, now + self._lifetime)
        except NotFoundError:
            log.info("a channel was lost by its provider", channel=channel.channel_id)
            await self._deactivate([channel])
            return False
        if renewed is None:
            return now < channel.at_lifetime_fraction(_RENEWED_FROM)
        channel.since, channel.expires_at = now, renewed.expires_at
        await self._publish_activated(channel, authorized.account)
        return True

    async def _create(
        self, maintenance: ChannelMaintenance, authorized: "_AuthorizedChannels", store: ChannelStore
    ) -> None:
        for orphan in await self._orphans(await authorized.list_own()):
            with suppress(NotFoundError):
                await authorized.stop("", orphan)
        now, secret = utc_now(), secrets.token_urlsafe(_SECRET_BYTES)
        channel = Channel(
            channel_id=uuid7_hex(),
            secret_hash=secret_hash(secret),
            generation=authorized.account.generation,
            since=now,
            expires_at=now + self._lifetime,
        )
        maintenance.channels.insert(0, channel)
        await store.save(maintenance.channels)
        await self._publish_activated(channel, authorized.account)
        opened = await authorized.create(channel, secret)
        if opened.expires_at <= utc_now():
            raise CallFailedError(unavailable_failure("a channel that is over at once"))
        channel.remote_id, channel.state = opened.remote_id, ChannelState.OPEN
        if channel.expires_at != opened.expires_at:
            channel.expires_at = opened.expires_at
            await self._publish_activated(channel, authorized.account)

    async def _orphans(self, remote_ids: Sequence[str]) -> set[str]:
        """Those that no sync state knows: a worker died between creating and saving them."""
        return set(remote_ids) - await self._channels.known(remote_ids) if remote_ids else set()

    # --- closing ------------------------------------------------------------------------------------------------

    async def _deactivate(self, channels: Sequence[Channel]) -> None:
        """Reject further notifications of these channels; stopping them at the provider follows."""
        for channel in channels:
            if channel.state is not ChannelState.CLOSING:
                await self._publish(channel.channel_id, ChannelDeactivated(channel_id=channel.channel_id))
                channel.state = ChannelState.CLOSING

    async def _stop_deactivated(self, maintenance: ChannelMaintenance, authorized: "_AuthorizedChannels") -> None:
        """Stop the deactivated channels; one that cannot be stopped expires."""
        calendar = _calendar_id(maintenance.channels, authorized.account, authorized.provider)
        for channel in [channel for channel in maintenance.channels if channel.state is ChannelState.CLOSING]:
            remote_id = channel.remote_id or calendar
            if remote_id is None and authorized.provider.is_remote_id_of_calendar and channel.expires_at > utc_now():
                continue  # as soon as it is known
            try:
                if remote_id is not None and channel.expires_at > utc_now():
                    await authorized.stop(channel.channel_id, remote_id)
            except NotFoundError:
                pass
            except CallFailedError as error:
                if error.failure.retryable:
                    raise
                log.info("a channel cannot be stopped; it will expire", reason=error.failure.reason)
            maintenance.channels.remove(channel)

    # --- publishing ------------------------------------------------------------------------------------------------

    async def _publish_activated(self, channel: Channel, account: Account) -> None:
        opened = channel.activated(account.provider, account.connection_id)
        await self._publish(channel.channel_id, opened)

    async def _publish(self, channel_id: str, body: ChannelActivated | ChannelDeactivated) -> None:
        """Raises a KafkaError when it was not acknowledged: then nothing that follows from it is done."""
        envelope = envelope_for(body, source=CALENDAR_SYNC, subject=channel_id)
        await self._publisher.publish(encode(Message(envelope, body), key=channel_id))

    def _failed(self, maintenance: ChannelMaintenance, attempt_number: int, failure: Failure) -> None:
        log.warning(
            "a calendar cannot be watched", code=failure.code.value, reason=failure.reason, attempt=attempt_number
        )
        maintenance.failure = failure
        maintenance.retry_in = retry_delay(
            failure, attempt_number, initial=self._retry_initial, maximum=self._retry_max
        )


@dataclass(frozen=True, slots=True)
class _AuthorizedChannels:
    """One account at its provider, called politely and with a token that holds."""

    provider: NotificationChannels
    calls: AuthorizedCalls
    account: Account

    async def create(self, channel: Channel, secret: str) -> CreatedChannel:
        return await self._call(
            lambda access: self.provider.create(access, channel.channel_id, secret, channel.expires_at)
        )

    async def renew(self, channel: Channel, expires_at: datetime) -> CreatedChannel | None:
        return await self._call(lambda access: self.provider.renew(access, channel.remote_id or "", expires_at))

    async def stop(self, channel_id: str, remote_id: str) -> None:
        await self._call(lambda access: self.provider.stop(access, channel_id, remote_id))

    async def list_own(self) -> Sequence[str]:
        return await self._call(self.provider.list_own)

    async def _call(self, call: Callable[[CalendarAccess], Awaitable[Answer]]) -> Answer:
        return await self.calls.execute(
            self.account, lambda token: call(CalendarAccess(token, self.account.calendar_id))
        )


def _calendar_id(channels: Sequence[Channel], account: Account, provider: NotificationChannels) -> str | None:
    """The remote id of the account's calendar, where there is such a thing and a channel was answered with it."""
    answered = [channel.remote_id for channel in channels if channel.generation == account.generation]
    return next(filter(None, answered), None) if provider.is_remote_id_of_calendar else None


def _seconds_until_next_check(channels: Sequence[Channel]) -> float:
    fraction = random.uniform(_RENEWED_FROM, _RENEWED_BY)  # noqa: S311 spreads load, guards nothing
    channel = next(channel for channel in channels if channel.state is ChannelState.OPEN)
    return max(1.0, (channel.at_lifetime_fraction(fraction) - utc_now()).total_seconds())
