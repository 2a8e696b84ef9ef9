"""Pages and requests that only read: overview, find, identity, timeline, tables; of a run and of a live site alike."""

from __future__ import annotations

import io
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jinja2
import numpy as np
import numpy.typing as npt
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from common.errors import InputError
from mtmc.report import page as report_page
from mtmc.report.colours import css_colours
from mtmc.report.link_map import draw_histogram, draw_map
from mtmc.web import timeline, traffic, views
from mtmc.web.colours import COLOURS
from mtmc.web.interface import CLASSES, FilterParameters
from mtmc.web.pictures import MAX_BYTES, PictureExtractor, read_picture
from mtmc.web.search import rank
from mtmc.web.shown import Shown, Source

HERE = Path(__file__).parent
REPORT = Path(report_page.__file__).parent / "page"
PAGE = 48
"""Identities on one page of results."""
QUERIES = 200
"""Pictures that were given and can still be looked up; the oldest are forgotten."""
HISTOGRAMS = 24
"""Histograms on the overview, of the busiest flows."""
DAY = "private, max-age=86400"
Render = Callable[..., HTMLResponse]

RUN_PAGES = (
    ("/", "o", "overview", "Overview"),
    ("/find", "f", "find", "Find"),
    ("/timeline", "t", "timeline", "Timeline"),
    ("/doubts", "d", "doubts", "Doubts"),
    ("/history", "h", "history", "History"),
)
LIVE_PAGES = (("/", "l", "live", "Live"), ("/overview", *RUN_PAGES[0][1:]), *RUN_PAGES[1:3], RUN_PAGES[4])
"""Address, key, name and words of the pages."""


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


def add_files(app: FastAPI) -> None:
    """Styles and scripts, and errors in one line."""
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")

    @app.get("/report.css", include_in_schema=False)
    def report_style() -> Response:
        return FileResponse(REPORT / "report.css", media_type="text/css")

    @app.exception_handler(InputError)
    async def refused(request: Request, error: InputError) -> Response:
        text = " ".join(str(error).split())
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": text}, 422)
        return PlainTextResponse(f"{text}\n", 422)


def _add_pages(app: FastAPI, source: Source, queries: Queries, render: Render, home: str) -> None:
    @app.get(home, include_in_schema=False)
    def overview(hour: str = "") -> HTMLResponse:
        shown = source()
        index, p = shown.index, shown.passages
        infos = shown.camera_infos()
        chosen = int(hour) if hour.isdecimal() and len(hour) < 6 else None
        span = (None, None) if chosen is None else (chosen * traffic.HOUR, (chosen + 1) * traffic.HOUR)
        flows = traffic.flows(index, *span)
        links = [traffic.as_link(flow, shown.cameras) for flow in flows]
        hours = sorted({int(h) for h in np.floor(p.start[index.order] / traffic.HOUR).tolist()})
        counts = np.bincount(p.camera[index.order], minlength=len(shown.cameras)).tolist()
        return render(
            shown,
            "overview",
            link_map=draw_map(infos, links),
            histograms=[draw_histogram(link) for link in links[:HISTOGRAMS]],
            left_out=max(len(links) - HISTOGRAMS, 0),
            hours=hours,
            hour=chosen,
            cameras=[(info, count) for info, count in zip(infos, counts, strict=True)],
            across=int((index.cameras > 1).sum()),
            passages=len(p),
        )

    @app.get("/find", include_in_schema=False)
    def find(
        request: Request, filters: FilterParameters, like: str = "", query: str = "", page: int = 0
    ) -> HTMLResponse:
        problem, total, chosen = "", 0, None
        shown = source()
        hits: list[dict[str, Any]] = []
        try:
            hits, total = _search(shown, queries, filters, like=like, query=query, page=page)
            if like:
                chosen = views.passage(shown, shown.rows([like])[0])
            elif query:
                queries.get(query)
        except InputError as error:
            problem = str(error)
        base = {k: v for k, v in request.query_params.items() if v and k != "page"}
        return render(
            shown,
            "find",
            hits=hits,
            total=total,
            page=max(page, 0),
            pages=(total + PAGE - 1) // PAGE,
            given=dict(request.query_params),
            base=base,
            like=chosen,
            query=query if query in queries.kept else "",
            problem=problem,
            colours=COLOURS,
            classes=CLASSES,
        )

    @app.get("/identity/{number}", include_in_schema=False)
    def identity_page(number: int) -> HTMLResponse:
        shown = source()
        found = views.identity(shown, number)
        if found is None:
            return render(shown, "missing", status=404, number=number)
        infos = shown.camera_infos()
        flows = [traffic.as_link(flow, shown.cameras) for flow in traffic.flows(shown.index)]
        drawn = draw_map(infos, flows)
        place = {node.name: node for node in drawn.nodes}
        path = [place[name] for name in _steps(found) if name in place]
        return render(
            shown,
            "identity",
            identity=found,
            candidates=views.candidates(shown, number),
            link_map=drawn,
            path=path,
        )

    @app.get("/timeline", include_in_schema=False)
    def timeline_page() -> HTMLResponse:
        shown = source()
        return render(shown, "timeline", cameras=shown.cameras, wall_clock=shown.wall_clock)


def _steps(found: dict[str, Any]) -> list[str]:
    """Cameras in the order of a vehicle's passages, each stay once."""
    names = [each["camera"] for each in found["passages"]]
    return [name for k, name in enumerate(names) if k == 0 or name != names[k - 1]]


def renderer() -> Render:
    """Returns what makes a page: `render(shown, name, status=200, **values)`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["colour"] = lambda number: css_colours([number])[0]

    def render(shown: Shown, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        text = environment.get_template(f"{name}.html.jinja").render(
            name=name,
            scenario=shown.name,
            simulated=shown.simulated,
            live=shown.live,
            menu=LIVE_PAGES if shown.live else RUN_PAGES,
            extractor=shown.extractor,
            appearance=shown.extractor != "none",
            camera_names=shown.cameras,
            state=shown.status(),
            clock=shown.clock,
            **values,
        )
        return HTMLResponse(text, status)

    return render


def _search(
    shown: Shown,
    queries: Queries,
    filters: FilterParameters,
    *,
    like: str = "",
    query: str = "",
    page: int = 0,
    limit: int = PAGE,
) -> tuple[list[dict[str, Any]], int]:
    """Identities that pass the filters; ranked by likeness to a passage or to a picture if one is given."""
    index = shown.index
    kept = index.matching(filters.filters(shown.cameras, shown.seconds), shown.colour)
    first = min(max(page, 0), 10**6) * limit
    wanted: npt.NDArray[np.float32] | None = None
    vector, known = shown.vectors
    if like:
        row = shown.rows([like])[0]
        if not vector.shape[1] or not known[row]:
            raise InputError(f"{like}: has no feature to compare with")
        wanted = vector[row]
        kept &= index.number != index.identity[row]
    elif query:
        wanted = queries.get(query).vector
    hits, total = rank(index, kept, query=wanted, vector=vector, known=known, first=first, limit=limit)
    return [views.hit(shown, hit) for hit in hits], total


def _add_finding(app: FastAPI, source: Source, queries: Queries, extractor: PictureExtractor) -> None:
    @app.get("/api/identities", tags=["find"], summary="Identities that pass filters, ranked by likeness if asked")
    def identities(
        filters: FilterParameters, like: str = "", query: str = "", page: int = 0, limit: int = PAGE
    ) -> dict[str, Any]:
        """`like`: key of a passage to compare with; `query`: a picture's name, as `POST /api/pictures` gives it."""
        limit = min(max(limit, 1), 500)
        hits, total = _search(source(), queries, filters, like=like, query=query, page=page, limit=limit)
        return {"total": total, "identities": hits}

    @app.get("/api/identities/{number}", tags=["find"], summary="One identity with its passages and candidates")
    def one_identity(number: int) -> Response:
        shown = source()
        found = views.identity(shown, number)
        if found is None:
            return JSONResponse({"error": f"there is no identity {number}"}, 404)
        return JSONResponse({**found, "candidates": views.candidates(shown, number)})

    @app.post(
        "/api/pictures",
        tags=["find"],
        summary="Give a picture of a vehicle (the body: JPEG, PNG or WebP)",
        openapi_extra={"requestBody": {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}},
    )
    async def picture(request: Request) -> dict[str, str]:
        """The picture should show one vehicle, cut out. Returns the name under which `query` finds it."""
        content = await body_of(request, MAX_BYTES, "picture")

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
    def crop(row: int, place: int, v: str = "") -> Response:
        """`v`: what the page knew as the mark of these rows; another one is refused."""
        shown = source()
        known = 0 <= row < len(shown.passages) and v in ("", shown.tag)
        image = shown.crops.image(row, place) if known else None
        if image is None:
            return PlainTextResponse("there is no such crop\n", 404)
        return Response(image, media_type="image/jpeg", headers={"cache-control": DAY})


def _add_traffic(app: FastAPI, source: Source) -> None:
    cache: dict[int, bytes] = {}

    @app.get("/api/timeline", tags=["see"], summary="All passages as binary columns", response_class=Response)
    def packed() -> Response:
        """See `mtmc.web.timeline` for the layout."""
        shown = source()
        version = int(shown.status()["version"])
        if version not in cache:
            cache.clear()
            cache[version] = timeline.pack(shown.index)
        return Response(cache[version], media_type="application/octet-stream")

    @app.get("/api/passages/{row}", tags=["see"], summary="One passage")
    def one_passage(row: int) -> Response:
        shown = source()
        if not 0 <= row < len(shown.passages):
            return JSONResponse({"error": f"there is no passage {row}"}, 404)
        return JSONResponse(views.passage(shown, row))

    @app.get("/api/tables/{name}.{form}", tags=["see"], summary="Traffic as a table", response_class=Response)
    def table(
        name: Literal["counts", "travel_times", "origin_destination"], form: Literal["csv", "parquet"]
    ) -> Response:
        """Counts by camera, hour and class; travel times of single vehicles; origin and destination."""
        shown = source()
        frame = traffic.table(name, shown.index, shown.cameras)
        headers = {"content-disposition": f'attachment; filename="{name}.{form}"'}
        if form == "csv":
            return Response(frame.write_csv(), media_type="text/csv", headers=headers)
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return Response(buffer.getvalue(), media_type="application/vnd.apache.parquet", headers=headers)


async def body_of(request: Request, limit: int, what: str) -> bytes:
    """The body of a request; refused as soon as it is too long."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > limit:
            raise InputError(f"{what}: larger than {limit // 1_000_000} MB; give a smaller one")
    if not parts:
        raise InputError(f"{what}: is empty")
    return bytes(parts)


def add_reading(app: FastAPI, source: Source, extractor: PictureExtractor, render: Render, *, home: str = "/") -> None:
    """Add all of this to an application.

    Args:
        app: the application.
        source: what is to be shown.
        extractor: for pictures that users give.
        render: of `renderer`.
        home: address of the overview.
    """
    queries = Queries()
    _add_pages(app, source, queries, render, home)
    _add_finding(app, source, queries, extractor)
    _add_traffic(app, source)
