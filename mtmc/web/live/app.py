"""The page over a live site as an ASGI application: what its cameras see now, and what its store holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from mtmc.appearance.embedding import CropExtractor
from mtmc.web import views
from mtmc.web.correcting import add_answering
from mtmc.web.live.feed import LiveFeed
from mtmc.web.live.view import LiveReader
from mtmc.web.pictures import PictureExtractor
from mtmc.web.reading import DAY, add_files, add_reading, renderer
from mtmc.web.security import Access, Guard

TOLD_SECONDS = 0.25
"""Seconds between two looks for news to tell a browser. Raising it tells them later."""
NO_DOUBTS = (
    "A live site keeps no probabilities of its joins, so nothing is asked. Identities are corrected on their own "
    "pages; doubts are asked about a finished run of mtmc.run."
)
QUIET_SECONDS = 15.0
"""Seconds after which a browser is told that nothing happened, so that nobody between closes the connection."""


def make_live_app(
    reader: LiveReader, feed: LiveFeed, load: Callable[[], CropExtractor], access: Access | None = None
) -> FastAPI:
    """The application.

    Args:
        reader: the tracks of the store; closed when the application ends.
        feed: what happens now; closed likewise.
        load: loads the site's extractor, for pictures that users give.
        access: who may come in; None: requests to loopback names.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(feed.close)
        await run_in_threadpool(reader.close)

    app = FastAPI(
        title="mtmc.serve",
        summary="Watch a live site, find its vehicles, see its traffic, correct its identities.",
        description="Requests that change something need the header `X-Requested-By` (any value); where the server was "
        "started with a token, every request needs `Authorization: Bearer TOKEN`.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.add_middleware(Guard, access=access or Access())
    add_files(app)
    render = renderer()

    @app.get("/", include_in_schema=False)
    def live() -> HTMLResponse:
        return render(reader.now(), "live", health=feed.health())

    @app.get("/api/state", tags=["see"], summary="Where the page stands")
    def state() -> dict[str, Any]:
        return reader.now().status()

    @app.get("/api/live", tags=["live"], summary="Newest pictures with boxes, and the health of the streams")
    def now() -> dict[str, Any]:
        return {"tiles": feed.tiles(), "health": feed.health()}

    @app.get("/api/live/events", tags=["live"], summary="The latest events")
    def latest(after: int = 0) -> dict[str, Any]:
        """`after`: the number of the last one that is known."""
        return {"events": feed.events(after)}

    @app.get(
        "/api/live/tiles/{camera}/{frame}.jpg",
        tags=["live"],
        summary="A picture of a camera, one of the newest",
        response_class=Response,
    )
    def picture(camera: str, frame: int) -> Response:
        image = feed.picture(camera, frame)
        if image is None:
            return PlainTextResponse("this picture is no longer kept\n", 404)
        return Response(image, media_type="image/jpeg", headers={"cache-control": DAY})

    @app.get("/api/events", tags=["live"], summary="Everything that changes, as server-sent events")
    async def events(request: Request, live: bool = False, after: int = 0) -> StreamingResponse:
        """`state`: the identities; with `live`, also `said` (events), `tile` (a camera's newest picture) and `health`.

        `after`: the number of the last event that is known.
        """
        return StreamingResponse(_told(request, reader, feed, live, after), media_type="text/event-stream")

    @app.get("/history", include_in_schema=False)
    def history() -> HTMLResponse:
        shown = reader.now()
        entries = views.history(shown, shown.answers.entries)
        return render(shown, "history", entries=[{**e, "became": shown.answers.words(e["seq"])} for e in entries])

    @app.get("/doubts", include_in_schema=False)
    def no_doubts() -> HTMLResponse:
        return render(reader.now(), "missing", status=404, reason=NO_DOUBTS)

    @app.get("/api/doubts", include_in_schema=False)
    def none() -> JSONResponse:
        return JSONResponse({"error": NO_DOUBTS}, 409)

    add_answering(app, reader)
    add_reading(app, reader.now, PictureExtractor(load), render, home="/overview")
    return app


async def _told(request: Request, reader: LiveReader, feed: LiveFeed, live: bool, after: int) -> AsyncIterator[str]:
    version, quiet = -1, 0.0
    health: dict[str, Any] | None = None
    frames: dict[str, int] = {}
    while not await request.is_disconnected() and not reader.closed:
        parts = []
        # Reading the store may take a moment, which must not hold up the others who watch.
        status = (await run_in_threadpool(reader.now)).status()
        if status["version"] != version:
            version = status["version"]
            parts.append(_event("state", status))
        if live:
            new = feed.events(after)
            if new:
                after = new[-1]["seq"]
                parts.append(_event("said", new))
            for camera, tile in feed.tiles().items():
                if frames.get(camera) != tile["frame"]:
                    frames[camera] = tile["frame"]
                    parts.append(_event("tile", tile))
            found = await run_in_threadpool(feed.health)
            if found != health:
                health = found
                parts.append(_event("health", found))
        quiet = 0.0 if parts else quiet + TOLD_SECONDS
        if quiet >= QUIET_SECONDS:
            quiet = 0.0
            parts.append(": still here\n\n")
        for part in parts:
            yield part
        await asyncio.sleep(TOLD_SECONDS)


def _event(kind: str, content: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps(content)}\n\n"
