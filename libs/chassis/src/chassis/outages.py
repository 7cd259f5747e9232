"""Tells infrastructure outages, which are waited out, from bad messages, which are dead-lettered."""

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError, WriteConcernError

from chassis.mongo.database import ConflictError

# Shutdown, no disk space, interrupted, not primary: https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/base/error_codes.yml
_TRANSIENT_CODES = frozenset({6, 7, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031})


def is_outage(error: BaseException) -> bool:
    """Whether a dependency is away or unwell, so that any message would fail now and all of them can wait.

    A conflict with another writer is one too: it passes by itself, at the latest once a majority has the other's write.
    """
    match error:
        case ConnectionFailure() | WriteConcernError() | ConflictError() | TimeoutError() | ConnectionError():
            return True
        case OperationFailure():
            return error.timeout or error.code in _TRANSIENT_CODES or error.has_error_label("RetryableWriteError")
        case PyMongoError():
            return error.timeout
        case KafkaConnectionError() | KafkaTimeoutError():
            return True
        case KafkaError():
            return bool(error.retriable)
        case _:
            return False
