"""Which errors say that the house is down, not that the message is bad."""

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError, WriteConcernError

# Shutdown, no disk space, interrupted, not primary: https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/base/error_codes.yml
_TRANSIENT_CODES = frozenset({6, 7, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031})


def is_outage(error: BaseException) -> bool:
    """Whether a dependency is away or unwell, so that any message would fail now and all of them can wait."""
    match error:
        case ConnectionFailure() | WriteConcernError() | TimeoutError() | ConnectionError():
            return True
        case OperationFailure():
            return error.code in _TRANSIENT_CODES or error.has_error_label("RetryableWriteError")
        case PyMongoError():
            return error.timeout
        case KafkaConnectionError() | KafkaTimeoutError():
            return True
        case KafkaError():
            return bool(error.retriable)
        case _:
            return False
