"""Structured logs: one JSON object a line, with the correlation id and tenant of whatever is being handled.

Log ids, never names, addresses or contents; errors and tracebacks are redacted here.
"""

import logging
import sys

import structlog

from chassis.redaction import format_exc_info, redact
from chassis.telemetry.context import context_or_none
from chassis.telemetry.folding import LineFolder


def configure_logging(service: str, level: str) -> None:
    """Send every log of this process, the libraries' too, to standard output as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        _add_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service_name(service),
        structlog.processors.ExceptionRenderer(format_exc_info),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, _redact_tasks],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(LineFolder())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for noisy in ("aiokafka", "httpx", "httpcore", "uvicorn.access", "faststream"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for indiscreet in ("requests_oauthlib", "oauthlib", "google", "google_auth_oauthlib", "msal", "urllib3"):
        logging.getLogger(indiscreet).setLevel(logging.WARNING)  # below it they log codes, tokens and secrets


def _add_context(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = context_or_none()
    if context is not None:
        event["correlation_id"], event["tenant"] = context.correlation_id, context.tenant
    return event


def _redact_tasks(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """asyncio tells of a task that failed by the text of its error."""
    if event["logger"] == "asyncio":
        event["event"] = redact(event["event"])
    return event


def _service_name(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add
