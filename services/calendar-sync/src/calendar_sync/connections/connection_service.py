"""What users do with their connection: look at it, end it, set a preference."""

from collections.abc import Callable

from contracts.api.calendar import ConnectionView, GetConnection
from contracts.api.errors import ApiError
from contracts.messages.calendar_commands import DisconnectCalendar, SetModalPreference
from contracts.messages.replies import Outcome, Reply, ReplyError
from contracts.values.times import utc_now

from calendar_sync.connections.model import Connection
from calendar_sync.connections.ports import ConnectionRepository, ConnectionUpdate


class ConnectionService:
    """Shows users their calendar connection, and carries out their commands."""

    def __init__(self, connections: ConnectionRepository, *, wake_revocation: Callable[[], None]) -> None:
        """``wake_revocation`` is called to revoke a grant."""
        self._connections = connections
        self._wake_revocation = wake_revocation

    async def get(self, query: GetConnection) -> Reply:
        """The connection. Every user has one: it is NONE until a calendar is connected."""
        actor = query.actor
        found = await self._connections.find(actor.tenant_uuid, actor.user_id)
        return _ok(ConnectionView() if found is None else found.view())

    async def execute(self, command: DisconnectCalendar | SetModalPreference) -> Reply:
        """Idempotent: a repeated command gets the same reply and has no effect."""
        refused: list[ApiError] = []

        def change(connection: Connection) -> ConnectionUpdate | None:
            refused.clear()
            try:
                if connection.has_processed(command):
                    return None
            except ApiError as refusal:
                refused.append(refusal)
                return None
            update = ConnectionUpdate()
            try:
                if isinstance(command, SetModalPreference):
                    connection.first_time_modal_pref = command.action
                else:
                    update = ConnectionUpdate(connection.disconnect(utc_now()), revoke=True)
            except ApiError as refusal:
                refused.append(refusal)
            connection.record_processed(command, refused[0] if refused else None, utc_now())
            return update

        actor = command.actor
        connection = await self._connections.change(actor.tenant_uuid, actor.user_id, change)
        self._wake_revocation()
        if refused:
            return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(refused[0]))
        return _ok(connection.view())


def _ok(view: ConnectionView) -> Reply:
    return Reply(outcome=Outcome.OK, data=view)
