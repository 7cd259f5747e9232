"""What stands in an operator's way, in a sentence that says the way out."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import KafkaError
from chassis.http.internal_queries import QueryUnavailableError
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from meetings_cli.settings import Settings


class Problem(Exception):  # noqa: N818 it is none of the program's errors
    """It cannot be done; the message is for the operator."""


@contextmanager
def broker_errors(settings: Settings) -> Iterator[None]:
    """Raises a Problem when the broker does not do what is asked in here."""
    try:
        yield
    except (KafkaError, TimeoutError) as error:
        where = f"the broker at {settings.kafka_bootstrap_servers}: {type(error).__name__}"
        raise Problem(f"{where}. Is it up? KAFKA_BOOTSTRAP_SERVERS says where it is.") from error


@contextmanager
def database_errors() -> Iterator[None]:
    """Raises a Problem when the database does not do what is asked in here. Its address may hold a password."""
    try:
        yield
    except PyMongoError as error:
        raise Problem(f"the database: {type(error).__name__}. Is it up? MONGODB_URI says where it is.") from error


@contextmanager
def service_errors(name: str, url: str) -> Iterator[None]:
    """Raises a Problem when a service does not answer what is asked in here."""
    try:
        yield
    except QueryUnavailableError as error:
        if error.status == 401:
            raise Problem(f"{name} does not know this INTERNAL_TOKEN.") from error
        raise Problem(f"{name} at {url} does not answer ({error}). Is it up? `meetings status` says more.") from error
    except ValidationError as error:
        raise Problem(f"{name} at {url} answers something else; is it of another version?") from error
