"""Routes without a login: rate limits, and pages for errors."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

from chassis.http.errors import HANDLED_ERRORS, to_api_error
from chassis.http.rate_limit import client_network
from contracts.api.errors import ApiError
from contracts.values.enums import Language
from fastapi import Request, Response
from fastapi.routing import APIRoute

from api_gateway.adapters.http.authentication import require_json
from api_gateway.adapters.pages.rendering import language_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def language_asked(request: Request) -> Language:
    """The language that the browser asks for."""
    return language_of(request.headers.get("accept-language", ""))


class PublicRoute(APIRoute):
    """A route that anybody can call: so many times a minute from one address, before anything is read."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            request.app.state.services.anonymous_limiter.hit(client_network(request))
            return await handle(request)

        return bounded


class PublicJsonRoute(PublicRoute):
    """A public route whose body is JSON."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def typed(request: Request) -> Response:
            return await handle(require_json(request))

        return typed


class PageRoute(PublicRoute, ABC):
    """A public route for people; errors are pages too."""

    @abstractmethod
    def refused(self, request: Request, refusal: ApiError) -> Response:
        """The page of an error."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def readable(request: Request) -> Response:
            try:
                return await handle(request)
            except HANDLED_ERRORS as error:
                return self.refused(request, to_api_error(error))

        return readable
