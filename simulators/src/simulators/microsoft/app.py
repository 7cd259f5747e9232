"""The Microsoft simulator as one web application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from simulators.common.control import control_router
from simulators.common.pages import Pages
from simulators.microsoft import control, owner_pages
from simulators.microsoft.graph.errors import GraphError
from simulators.microsoft.graph.routes import routes
from simulators.microsoft.login import authorize, discovery, token
from simulators.microsoft.settings import Settings
from simulators.microsoft.world import World


def create_app(settings: Settings) -> FastAPI:
    """Login, Graph, the control API and the pages, over one world."""
    world = World(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        world.start()
        yield
        await world.close()

    app = FastAPI(title="Microsoft simulator", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    pages = Pages(Path(__file__).parent / "templates")

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ready"}

    @app.exception_handler(GraphError)
    async def refused(_: Request, error: GraphError) -> JSONResponse:
        """A refusal met outside Graph's own routes: by the control API or a page."""
        return JSONResponse({"detail": f"{error.code}: {error.message}"}, error.status)

    app.include_router(control_router(world.clock, world.faults, world.requests, world.sender))
    app.include_router(control.router(world))
    app.include_router(owner_pages.router(world, pages))
    app.router.routes.extend(routes(world))
    app.include_router(discovery.router(world))
    app.include_router(authorize.router(world, pages))
    app.include_router(token.router(world))
    return app
