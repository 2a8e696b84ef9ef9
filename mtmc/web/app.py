"""The page over a finished run as an ASGI application: HTML pages, and a programming interface with OpenAPI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from common.errors import InputError
from mtmc.web import exchange, views
from mtmc.web.clips import ClipStore
from mtmc.web.correcting import add_answering
from mtmc.web.pictures import PictureExtractor, extractor_of
from mtmc.web.reading import Render, add_files, add_reading, body_of, renderer
from mtmc.web.security import Access, Guard
from mtmc.web.session import Session


def make_app(session: Session, access: Access | None = None) -> FastAPI:
    """The application.

    Args:
        session: the run; it is closed when the application ends.
        access: who may come in; None: requests to loopback names.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(session.close)

    app = FastAPI(
        title="mtmc.serve",
        summary="Find vehicles of a finished run, see its traffic, correct its identities.",
        description="Requests that change something need the header `X-Requested-By` (any value); where the server was "
        "started with a token, every request needs `Authorization: Bearer TOKEN`.",
        version="1",
        docs_url=None,  # both would load scripts from another host
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.add_middleware(Guard, access=access or Access())
    add_files(app)
    render = renderer()
    add_reading(app, lambda: session, PictureExtractor(lambda: extractor_of(session.run)), render)
    _add_clips(app, session)
    add_answering(app, session)
    _add_correcting(app, session)
    _add_correcting_pages(app, session, render)
    return app


def _add_clips(app: FastAPI, session: Session) -> None:
    clips = ClipStore(session.work / "clips")

    @app.get(
        "/api/passages/{row}/clip.mp4",
        tags=["find"],
        summary="The passage in the recorded video",
        response_class=Response,
    )
    def clip(row: int) -> Response:
        if not 0 <= row < len(session.passages):
            return PlainTextResponse("there is no such passage\n", 404)
        index = int(session.passages.camera[row])
        tracks = session.resolver.tracks[index]
        mine = tracks[tracks.track == session.passages.part[row]]
        number = int(session.snapshot.index.identity[row])
        path = clips.clip(session.run.scenario.cameras[index], mine, number)
        return FileResponse(path, media_type="video/mp4")


def _add_correcting_pages(app: FastAPI, session: Session, render: Render) -> None:
    @app.get("/doubts", include_in_schema=False)
    def doubts_page() -> HTMLResponse:
        return render(session, "doubts")

    @app.get("/history", include_in_schema=False)
    def history() -> HTMLResponse:
        return render(session, "history", entries=views.history(session, session.entries()))


def _add_correcting(app: FastAPI, session: Session) -> None:
    @app.get("/api/state", tags=["correct"], summary="Where the page stands: last entry, whether it is solving")
    def state() -> dict[str, Any]:
        return session.status()

    @app.get("/api/events", tags=["correct"], summary="The state whenever it changes, as server-sent events")
    async def events(request: Request) -> StreamingResponse:
        async def stream() -> AsyncIterator[str]:
            told: tuple[int, bool] | None = None
            quiet = 0.0
            while not await request.is_disconnected():
                state = session.status()
                now = (state["version"], state["solving"])
                if now != told:
                    told, quiet = now, 0.0
                    yield f"event: state\ndata: {json.dumps(state)}\n\n"
                elif quiet > 15:
                    quiet = 0.0
                    yield ": still here\n\n"
                await asyncio.sleep(0.25)
                quiet += 0.25
                if session.closed:
                    return

        return StreamingResponse(stream(), media_type="text/event-stream")

    @app.get("/api/doubts", tags=["correct"], summary="The questions whose answers are expected to change most")
    def doubts(limit: int = 20) -> dict[str, Any]:
        now = session.snapshot
        found = [views.doubt(session, doubt) for doubt in session.doubts(min(max(limit, 1), 200))]
        return {"seq": now.seq, "ready": bool(len(now.joins.source)) or not session.solving, "doubts": found}

    @app.get("/api/export/mot.zip", tags=["correct"], summary="MOTChallenge text by camera", response_class=Response)
    def mot() -> Response:
        return _download(exchange.export_mot(session), "mot.zip", "application/zip")

    @app.get("/api/export/cvat.zip", tags=["correct"], summary="CVAT 1.1 XML by camera", response_class=Response)
    def cvat() -> Response:
        return _download(exchange.export_cvat(session), "cvat.zip", "application/zip")

    @app.get(
        "/api/export/constraints.yaml", tags=["correct"], summary="For mtmc.run --constraints", response_class=Response
    )
    def constraints() -> Response:
        return _download(exchange.export_constraints(session).encode(), "constraints.yaml", "application/yaml")

    @app.get(
        "/api/export/pairs.csv",
        tags=["correct"],
        summary="Answered pairs for reid.adapt --pairs",
        response_class=Response,
    )
    def pairs() -> Response:
        return _download(exchange.export_pairs(session).encode(), "pairs.csv", "text/csv")

    @app.post(
        "/api/import",
        tags=["correct"],
        summary="Read corrected identities back (the body: a .zip, .txt, .xml or .yaml)",
        openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string"}}}}},
    )
    async def read_back(request: Request, name: str, author: str = "", apply: bool = False) -> dict[str, Any]:
        """`name`: the file's name. Without `apply` only says what it would answer."""
        content = await body_of(request, exchange.MAX_UPLOAD, "file")
        found = await run_in_threadpool(exchange.read_back, session, name, content)
        refused: list[dict[str, str]] = []
        taken = 0
        if apply:
            for proposal in found:
                try:
                    await run_in_threadpool(
                        session.answer, proposal.kind, proposal.first, proposal.second, author=author, note=name
                    )
                    taken += 1
                except InputError as error:
                    refused.append({"answer": proposal.kind, "reason": str(error)})
        kinds = [proposal.kind for proposal in found]
        return {
            "answers": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
            "applied": taken,
            "refused": refused,
        }


def _download(content: bytes, name: str, kind: str) -> Response:
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})
