"""The collection of feeds: one document per connection holds how far its calendar has been read, the channels by which
we are told of changes, and two pieces of leased work, ``pull`` and ``watch``.

Their lane is the provider, so that one that is slow keeps no worker from the other.
"""

from chassis.leases import work_indexes
from chassis.mongo import Document
from pymongo import ASCENDING, IndexModel

from calendar_sync.domain.feed import Feed

PULL = "pull"
"""The field of the leased work that reads the calendar."""
WATCH = "watch"
"""The field of the leased work that keeps a push channel open. It is due whenever the feed's state or generation
changes: for a feed that is not open, all that is left to do is to close its channels."""
LANE = "provider"
INDEXES = [
    *work_indexes(PULL, lane=LANE),
    *work_indexes(WATCH, lane=LANE),
    IndexModel([("state", ASCENDING), ("syncedAt", ASCENDING)], name="oldest"),
]
"""The shard key of a sharded cluster is {_id: 1}, the connection's id: every write names it."""


def to_feed(document: Document) -> Feed:
    """The feed that a document holds."""
    return Feed.model_validate(document)
