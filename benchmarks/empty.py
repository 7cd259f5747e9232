"""The least that a webhook could be, to measure ours against: a POST that is answered with nothing, and does nothing.

The server is set up as the services' is.
"""

import os

import uvicorn
from chassis.http.app import NO_TELEMETRY
from fastapi import FastAPI, Response

app = FastAPI(openapi_url=None, telemetry=NO_TELEMETRY)


@app.get("/readyz")
async def readyz() -> Response:
    return Response()


@app.post("/")
async def empty() -> Response:
    return Response()


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(os.environ["HTTP_PORT"]), access_log=False, server_header=False, loop="uvloop", http="httptools"
    )
