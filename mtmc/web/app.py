"""The page over a finished run as an ASGI application: HTML pages, and a programming interface with OpenAPI."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jinja2
import numpy as np
import numpy.typing as npt
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from common.errors import InputError
from mtmc.report import page as report_page
from mtmc.report.colours import css_colours
from mtmc.report.link_map import draw_histogram, draw_map
from mtmc.report.view import clock_text
from mtmc.web import exchange, timeline, traffic, views
from mtmc.web.clips import ClipStore
from mtmc.web.colours import COLOURS
from mtmc.web.correction_log import Overtaken
from mtmc.web.interface import CLASSES, AnswerBody, FilterParameters, UndoBody
from mtmc.web.pictures import MAX_BYTES, PictureExtractor, read_picture
from mtmc.web.search import rank
from mtmc.web.security import Access, Guard
from mtmc.web.session import Session

HERE = Path(__file__).parent
REPORT = Path(report_page.__file__).parent / "page"
PAGE = 48
"""Identities on one page of results."""
QUERIES = 200
"""Pictures that were given and can still be looked up; the oldest are forgotten."""
HISTOGRAMS = 24
"""Histograms on the overview, of the busiest flows."""
DAY = "private, max-age=86400"


@dataclass(frozen=True, slots=True)
class Query:
    """A picture that somebody gave."""

    vector: npt.NDArray[np.float32]
    picture: bytes


@dataclass(slots=True)
class Queries:
    """The latest pictures by a name that cannot be guessed."""

    kept: OrderedDict[str, Query] = field(default_factory=OrderedDict)

    def add(self, query: Query) -> str:
        """Keep a picture; returns its name."""
        name = secrets.token_urlsafe(9)
        self.kept[name] = query
        while len(self.kept) > QUERIES:
            self.kept.popitem(last=False)
        return name

    def get(self, name: str) -> Query:
        """The picture of this name.

        Raises:
            InputError: it was forgotten.
        """
        if name not in self.kept:
            raise InputError("this picture is no longer known; give it again")
        return self.kept[name]


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
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    _add_errors(app)
    _add_pages(app, session, queries := Queries())
    _add_finding(app, session, queries)
    _add_traffic(app, session)
    _add_correcting(app, session)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(InputError)
    async def refused(request: Request, error: InputError) -> Response:
        text = " ".join(str(error).split())
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": text}, 422)
        return PlainTextResponse(f"{text}\n", 422)

    @app.exception_handler(Overtaken)
    async def overtaken(_: Request, error: Overtaken) -> Response:
        return JSONResponse({"error": str(error), "entries": [e.to_json() for e in error.entries]}, 409)


def _add_pages(app: FastAPI, session: Session, queries: Queries) -> None:
    render = _renderer(session)

    @app.get("/report.css", include_in_schema=False)
    def report_style() -> Response:
        return FileResponse(REPORT / "report.css", media_type="text/css")

    @app.get("/", include_in_schema=False)
    def overview(hour: str = "") -> HTMLResponse:
        index, p = session.snapshot.index, session.passages
        infos = traffic.camera_infos(session.run.scenario)
        chosen = int(hour) if hour.isdecimal() and len(hour) < 6 else None
        span = (None, None) if chosen is None else (chosen * traffic.HOUR, (chosen + 1) * traffic.HOUR)
        flows = traffic.flows(index, *span)
        links = [traffic.as_link(flow, session.cameras) for flow in flows]
        hours = sorted({int(h) for h in np.floor(p.start[index.order] / traffic.HOUR).tolist()})
        counts = np.bincount(p.camera[index.order], minlength=len(session.cameras)).tolist()
        return render(
            "overview",
            link_map=draw_map(infos, links),
            histograms=[draw_histogram(link) for link in links[:HISTOGRAMS]],
            left_out=max(len(links) - HISTOGRAMS, 0),
            hours=hours,
            hour=chosen,
            cameras=[(info, count) for info, count in zip(infos, counts, strict=True)],
            across=int((index.cameras > 1).sum()),
            passages=len(p),
            answers=len(session.log.standing()),
        )

    @app.get("/find", include_in_schema=False)
    def find(
        request: Request, filters: FilterParameters, like: str = "", query: str = "", page: int = 0
    ) -> HTMLResponse:
        problem, total, shown = "", 0, None
        hits: list[dict[str, Any]] = []
        try:
            hits, total = _search(session, queries, filters, like=like, query=query, page=page)
            if like:
                shown = views.passage(session, session.rows([like])[0])
            elif query:
                queries.get(query)
        except InputError as error:
            problem = str(error)
        base = {k: v for k, v in request.query_params.items() if v and k != "page"}
        return render(
            "find",
            hits=hits,
            total=total,
            page=max(page, 0),
            pages=(total + PAGE - 1) // PAGE,
            given=dict(request.query_params),
            base=base,
            like=shown,
            query=query if query in queries.kept else "",
            problem=problem,
            colours=COLOURS,
            classes=CLASSES,
        )

    @app.get("/identity/{number}", include_in_schema=False)
    def identity_page(number: int) -> HTMLResponse:
        found = views.identity(session, number)
        if found is None:
            return render("missing", status=404, number=number)
        infos = traffic.camera_infos(session.run.scenario)
        flows = [traffic.as_link(flow, session.cameras) for flow in traffic.flows(session.snapshot.index)]
        drawn = draw_map(infos, flows)
        place = {node.name: node for node in drawn.nodes}
        path = [place[name] for name in _steps(found) if name in place]
        return render(
            "identity",
            identity=found,
            candidates=views.candidates(session, number),
            link_map=drawn,
            path=path,
        )

    @app.get("/timeline", include_in_schema=False)
    def timeline_page() -> HTMLResponse:
        return render("timeline", cameras=session.cameras, span=[c.span for c in session.run.scenario.cameras])

    @app.get("/doubts", include_in_schema=False)
    def doubts_page() -> HTMLResponse:
        return render("doubts")

    @app.get("/history", include_in_schema=False)
    def history() -> HTMLResponse:
        entries = session.log.entries()
        undone = {entry.undoes for entry in entries if entry.undoes is not None}
        shown = [views.entry(session, entry, sorted(undone)) for entry in reversed(entries)]
        return render("history", entries=shown)


def _steps(found: dict[str, Any]) -> list[str]:
    """Cameras in the order of a vehicle's passages, each stay once."""
    names = [each["camera"] for each in found["passages"]]
    return [name for k, name in enumerate(names) if k == 0 or name != names[k - 1]]


def _renderer(session: Session) -> Callable[..., HTMLResponse]:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["clock"] = clock_text
    environment.filters["colour"] = lambda number: css_colours([number])[0]

    def render(name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        text = environment.get_template(f"{name}.html.jinja").render(
            name=name,
            scenario=session.run.scenario.name,
            simulated=session.run.scenario.simulated,
            extractor=session.run.extraction.name,
            appearance=session.run.extraction.name != "none",
            camera_names=session.cameras,
            state=session.status(),
            **values,
        )
        return HTMLResponse(text, status)

    return render


def _search(
    session: Session,
    queries: Queries,
    filters: FilterParameters,
    *,
    like: str = "",
    query: str = "",
    page: int = 0,
    limit: int = PAGE,
) -> tuple[list[dict[str, Any]], int]:
    """Identities that pass the filters; ranked by likeness to a passage or to a picture if one is given."""
    index = session.snapshot.index
    kept = index.matching(filters.filters(session.cameras), session.colour)
    first = min(max(page, 0), 10**6) * limit
    wanted: npt.NDArray[np.float32] | None = None
    vector, known = session.vectors
    if like:
        row = session.rows([like])[0]
        if not vector.shape[1] or not known[row]:
            raise InputError(f"{like}: has no feature to compare with")
        wanted = vector[row]
        kept &= index.number != index.identity[row]
    elif query:
        wanted = queries.get(query).vector
    hits, total = rank(index, kept, query=wanted, vector=vector, known=known, first=first, limit=limit)
    return [views.hit(session, hit) for hit in hits], total


def _add_finding(app: FastAPI, session: Session, queries: Queries) -> None:
    extractor = PictureExtractor(session.run)
    clips = ClipStore(session.work / "clips")

    @app.get("/api/identities", tags=["find"], summary="Identities that pass filters, ranked by likeness if asked")
    def identities(
        filters: FilterParameters, like: str = "", query: str = "", page: int = 0, limit: int = PAGE
    ) -> dict[str, Any]:
        """`like`: key of a passage to compare with; `query`: a picture's name, as `POST /api/pictures` gives it."""
        limit = min(max(limit, 1), 500)
        hits, total = _search(session, queries, filters, like=like, query=query, page=page, limit=limit)
        return {"total": total, "identities": hits}

    @app.get("/api/identities/{number}", tags=["find"], summary="One identity with its passages and candidates")
    def one_identity(number: int) -> Response:
        found = views.identity(session, number)
        if found is None:
            return JSONResponse({"error": f"there is no identity {number}"}, 404)
        return JSONResponse({**found, "candidates": views.candidates(session, number)})

    @app.post(
        "/api/pictures",
        tags=["find"],
        summary="Give a picture of a vehicle (the body: JPEG, PNG or WebP)",
        openapi_extra={"requestBody": {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}},
    )
    async def picture(request: Request) -> dict[str, str]:
        """The picture should show one vehicle, cut out. Returns the name under which `query` finds it."""
        content = await _body(request, MAX_BYTES, "picture")

        def work() -> str:
            import cv2

            decoded = read_picture(content)
            vector = extractor.embed(decoded)
            ok, small = cv2.imencode(".jpg", decoded)
            return queries.add(Query(vector, small.tobytes() if ok else b""))

        return {"query": await run_in_threadpool(work)}

    @app.get("/api/pictures/{name}.jpg", tags=["find"], summary="A picture that was given", response_class=Response)
    def given_picture(name: str) -> Response:
        return Response(queries.get(name).picture, media_type="image/jpeg")

    @app.get(
        "/api/passages/{row}/crops/{place}.jpg", tags=["find"], summary="A crop; 0: the best", response_class=Response
    )
    def crop(row: int, place: int) -> Response:
        image = session.crops.image(row, place) if 0 <= row < len(session.passages) else None
        if image is None:
            return PlainTextResponse("there is no such crop\n", 404)
        return Response(image, media_type="image/jpeg", headers={"cache-control": DAY})

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


def _add_traffic(app: FastAPI, session: Session) -> None:
    cache: dict[int, bytes] = {}

    @app.get("/api/timeline", tags=["see"], summary="All passages as binary columns", response_class=Response)
    def packed() -> Response:
        """See `mtmc.web.timeline` for the layout."""
        now = session.snapshot
        if now.version not in cache:
            cache.clear()
            cache[now.version] = timeline.pack(now.index)
        return Response(cache[now.version], media_type="application/octet-stream")

    @app.get("/api/passages/{row}", tags=["see"], summary="One passage")
    def one_passage(row: int) -> Response:
        if not 0 <= row < len(session.passages):
            return JSONResponse({"error": f"there is no passage {row}"}, 404)
        return JSONResponse(views.passage(session, row))

    @app.get("/api/tables/{name}.{form}", tags=["see"], summary="Traffic as a table", response_class=Response)
    def table(
        name: Literal["counts", "travel_times", "origin_destination"], form: Literal["csv", "parquet"]
    ) -> Response:
        """Counts by camera, hour and class; travel times of single vehicles; origin and destination."""
        frame = traffic.table(name, session.snapshot.index, session.cameras)
        headers = {"content-disposition": f'attachment; filename="{name}.{form}"'}
        if form == "csv":
            return Response(frame.write_csv(), media_type="text/csv", headers=headers)
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return Response(buffer.getvalue(), media_type="application/vnd.apache.parquet", headers=headers)


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

    @app.get("/api/answers", tags=["correct"], summary="The log of answers")
    def answers(after: int = 0) -> dict[str, Any]:
        return {"entries": [entry.to_json() for entry in session.log.entries(max(after, 0))]}

    @app.post("/api/answers", tags=["correct"], summary="Give an answer", status_code=201)
    def answer(body: AnswerBody) -> dict[str, Any]:
        """422 with the reason if it contradicts a fact or an earlier answer; 409 if others answered meanwhile."""
        found = session.answer(body.kind, body.first, body.second, author=body.author, after=body.after, note=body.note)
        return {"entry": found.to_json(), "state": session.status()}

    @app.post("/api/answers/{seq}/undo", tags=["correct"], summary="Take an answer back", status_code=201)
    def undo(seq: int, body: UndoBody) -> dict[str, Any]:
        found = session.undo(seq, author=body.author)
        return {"entry": found.to_json(), "state": session.status()}

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

    @app.post(
        "/api/import",
        tags=["correct"],
        summary="Read corrected identities back (the body: a .zip, .txt, .xml or .yaml)",
        openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string"}}}}},
    )
    async def read_back(request: Request, name: str, author: str = "", apply: bool = False) -> dict[str, Any]:
        """`name`: the file's name. Without `apply` only says what it would answer."""
        content = await _body(request, exchange.MAX_UPLOAD, "file")
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


async def _body(request: Request, limit: int, what: str) -> bytes:
    """The body of a request; refused as soon as it is too long."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > limit:
            raise InputError(f"{what}: larger than {limit // 1_000_000} MB; give a smaller one")
    if not parts:
        raise InputError(f"{what}: is empty")
    return bytes(parts)
