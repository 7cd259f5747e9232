"""Tells infrastructure outages, which are waited out, from bad messages, which are dead-lettered."""

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError, WriteConcernError

from chassis.mongo.database import ConflictError

# Shutdown, no disk space, interrupted, not primary: https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/base/error_codes.yml
_TRANSIENT_CODES = frozenset({6, 7, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031})
# Unauthorized, AuthenticationFailed
_REFUSED_CODES = frozenset({13, 18})
_KAFKA_OUTAGES = (
    KafkaConnectionError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ClusterAuthorizationFailedError,
)


def is_outage(error: BaseException) -> bool:
    """Whether a dependency is away or unwell, so that any message would fail now and all of them can wait.

    A conflict with another writer is one too: it passes by itself, at the latest once a majority has the other's write.
    So is a refusal of the service itself, by a wrong password or a missing permission: no message is to blame for it.
    """
    match error:
        case ConnectionFailure() | WriteConcernError() | ConflictError() | TimeoutError() | ConnectionError():
            return True
        case OperationFailure():
            transient = error.code in _TRANSIENT_CODES or error.has_error_label("RetryableWriteError")
            return error.timeout or transient or error.code in _REFUSED_CODES
        case PyMongoError():
            return error.timeout
        case KafkaError():
            return bool(error.retriable) or isinstance(error, _KAFKA_OUTAGES)
        case _:
            return False
