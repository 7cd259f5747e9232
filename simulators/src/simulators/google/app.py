"""The simulator as a web application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from simulators.common.pages import Pages
from simulators.google import control, pages
from simulators.google.calendar import batch
from simulators.google.calendar.errors import ApiError
from simulators.google.calendar.routes import routes
from simulators.google.oauth import authorize, identity, tokens
from simulators.google.settings import Settings
from simulators.google.world import World


def create_app(settings: Settings) -> FastAPI:
    """A simulator of its own, with the state of ``settings.state_file`` if there is one.

    Raises ValueError when that file holds something else.
    """
    world = World(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        world.spawn(world.file.keep(world.snapshot, lambda: world.changes))
        yield
        await world.close()

    templates = Pages(Path(__file__).parent / "templates")
    keys = identity.Identity(world)
    app = FastAPI(title="Google simulator", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.extend(routes(world))
    for router in (
        authorize.router(world, templates),
        tokens.router(world, keys),
        identity.router(world, keys),
        control.router(world),
        pages.router(world, templates),
        batch.router(app),
    ):
        app.include_router(router)

    @app.exception_handler(ApiError)
    async def refuse(_: Request, error: ApiError) -> JSONResponse:
        return JSONResponse(error.body(), error.status)

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    return app
