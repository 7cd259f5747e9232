"""Every Kafka topic of the platform, declared once: provisioning, consumers and the documentation read this table."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

DEFAULT_PARTITIONS = 6
"""Of topics that are read in parallel, unless an installation says otherwise (``KAFKA_PARTITIONS``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic and its promises. ``retention`` of None means compacted: the newest record of each key stays for ever."""

    name: str
    purpose: str
    key: str
    writer: tuple[str, ...]
    readers: tuple[str, ...]
    partitions: int = DEFAULT_PARTITIONS
    retention: timedelta | None = timedelta(days=14)
    public: bool = False

    def dead_letters(self, group: str) -> "Topic":
        """Where ``group`` parks the records of this topic that it cannot handle.

        Operators mark there what was done about one: a record without content, with the headers ``dlt-mark`` and
        ``dlt-marked-offset`` (tools/meetings-cli).
        """
        return Topic(
            name=f"{self.name}.{group}.dlt",
            purpose=f"Records of `{self.name}` that `{group}` could not handle, as they came, with the error.",
            key=self.key,
            writer=(group, OPERATORS),
            readers=(),
            partitions=1,
            retention=timedelta(days=30),
        )


API_GATEWAY = "api-gateway"
MEETING_CORE = "meeting-core"
INVITATIONS = "invitations"
CALENDAR_SYNC = "calendar-sync"
WEBHOOK_INGEST = "webhook-ingest"
OPERATORS = "operators"
"""People, by the command line `meetings`."""

MEETING_COMMANDS = Topic(
    name="meetings.commands",
    purpose="What callers want done to a meeting. Commands of one meeting are in one partition, so it has one writer.",
    key="meetingUuid",
    writer=(API_GATEWAY,),
    readers=(MEETING_CORE,),
    retention=timedelta(days=7),
)
MEETING_EVENTS = Topic(
    name="meetings.events",
    purpose="What happened to meetings, for every service of the platform. One meeting's events are in order, gapless.",
    key="meetingUuid",
    writer=(MEETING_CORE,),
    readers=(INVITATIONS, CALENDAR_SYNC),
    public=True,
)
GATEWAY_REPLIES = Topic(
    name="gateway.replies",
    purpose="Outcomes of commands. Every gateway reads all of them, without a consumer group, from the end.",
    key="commandMessageId",
    writer=(MEETING_CORE, CALENDAR_SYNC),
    readers=(API_GATEWAY,),
    partitions=3,
    retention=timedelta(minutes=10),
)
CALENDAR_COMMANDS = Topic(
    name="calendar.commands",
    purpose="What callers want done to their calendar connection.",
    key="userId",
    writer=(API_GATEWAY,),
    readers=(CALENDAR_SYNC,),
    retention=timedelta(days=7),
)
CALENDAR_EVENTS = Topic(
    name="calendar.events",
    purpose="What calendar-sync did and saw: connections, sync outcomes, changes made in the providers' calendars.",
    key="meetingUuid; userId for connections",
    writer=(CALENDAR_SYNC,),
    readers=(MEETING_CORE, CALENDAR_SYNC),
)
INVITATION_EVENTS = Topic(
    name="invitations.events",
    purpose="How the delivery of invitations went.",
    key="meetingUuid",
    writer=(INVITATIONS,),
    readers=(MEETING_CORE,),
)
CALENDAR_NOTIFICATIONS = Topic(
    name="calendar.notifications",
    purpose="Authenticated notifications of Google and Microsoft that a calendar changed.",
    key="channelId",
    writer=(WEBHOOK_INGEST,),
    readers=(CALENDAR_SYNC,),
    retention=timedelta(days=1),
)
CALENDAR_CHANNELS = Topic(
    name="calendar.channels",
    purpose="The notification channels whose notifications webhook-ingest accepts.",
    key="channelId",
    writer=(CALENDAR_SYNC,),
    readers=(WEBHOOK_INGEST,),
    partitions=1,
    retention=None,
)

TOPICS = (
    MEETING_COMMANDS,
    MEETING_EVENTS,
    GATEWAY_REPLIES,
    CALENDAR_COMMANDS,
    CALENDAR_EVENTS,
    INVITATION_EVENTS,
    CALENDAR_NOTIFICATIONS,
    CALENDAR_CHANNELS,
)


def retry_topic(group: str) -> Topic:
    """Where operators put dead letters of ``group`` to be handled again, by this group alone."""
    return Topic(
        name=f"{group}.retry",
        purpose=f"Dead letters that `{group}` is to handle again.",
        key="as first published",
        writer=(OPERATORS,),
        readers=(group,),
        partitions=1,
        retention=timedelta(days=7),
    )


RETRY_TOPICS = tuple(retry_topic(group) for group in (MEETING_CORE, INVITATIONS, CALENDAR_SYNC))


def dead_letter_topics() -> Iterator[Topic]:
    """The dead-letter topic of every reader of every topic."""
    for topic in (*TOPICS, *RETRY_TOPICS):
        yield from (topic.dead_letters(reader) for reader in topic.readers)


def all_topics() -> tuple[Topic, ...]:
    """What provisioning creates."""
    return (*TOPICS, *RETRY_TOPICS, *dead_letter_topics())
