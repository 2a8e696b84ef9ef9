"""The page as a program sees it: what it answers, and whom it refuses."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import av
import cv2
import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from mtmc.web.app import make_app
from mtmc.web.security import Access
from mtmc.web.session import Session

ASK = {"x-requested-by": "test"}


@pytest.fixture
def session(open_session: Callable[..., Session]) -> Session:
    return open_session()


@pytest.fixture
def client(session: Session) -> Iterator[TestClient]:
    with TestClient(make_app(session), base_url="http://127.0.0.1:8000", headers=ASK) as client:
        yield client


def numbers(client: TestClient, **asked: object) -> list[int]:
    answer = client.get("/api/identities", params=asked)
    assert answer.status_code == 200, answer.text
    return [hit["identity"] for hit in answer.json()["identities"]]


@pytest.mark.parametrize("path", ["/", "/find", "/timeline", "/doubts", "/history", "/identity/1", "/?hour=0"])
def test_every_page_opens_and_loads_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert "http://" not in page.text.replace("http://www.w3.org", "") and "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_an_identity_that_is_not_there_is_a_page_that_says_so(client: TestClient) -> None:
    assert client.get("/identity/999").status_code == 404
    assert client.get("/api/identities/999").json() == {"error": "there is no identity 999"}


def test_a_crop_finds_the_vehicles_that_look_alike(client: TestClient, session: Session) -> None:
    # Vehicle 4 is right in all cameras; a lone track of another camera is found by its looks.
    session.answer("different", ["c3/5"], ["c1/5", "c2/5"])
    first = client.get("/api/identities", params={"like": "c3/5"}).json()["identities"][0]
    assert first["best"]["key"] in ("c1/5", "c2/5") and first["likeness"] > 0.9


def test_filters_keep_the_identities_that_have_what_is_asked(client: TestClient, session: Session) -> None:
    everybody = numbers(client)
    assert len(everybody) == len(session.snapshot.index)
    assert 0 < len(numbers(client, link="c1>c2")) <= len(everybody)
    assert numbers(client, link="c3>c1") == []
    assert numbers(client, vehicle="car") == everybody and numbers(client, vehicle="bus") == []
    assert numbers(client, min_height="25") == [] and numbers(client, min_height="20") == everybody
    early = numbers(client, until="0:01")
    assert early == numbers(client, camera="c1")[:1]
    assert numbers(client, since="0:46") == []


def test_colours_are_found_from_the_crops(client: TestClient, session: Session) -> None:
    for worker in session._workers:
        worker.join(20)
    red = client.get("/api/identities", params={"colour": "red"}).json()["identities"]
    assert {hit["best"]["key"].split("/")[1] for hit in red} >= {"1"}
    assert client.get("/api/passages/1").json()["colour"] == "blue"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"camera": "c9"}, "camera: there is no c9; did you mean c3 or c2 or c1?"),
        ({"vehicle": "carr"}, "vehicle: there is no carr; did you mean car?"),
        ({"link": "c1-c2"}, "link: must be CAMERA>CAMERA, not c1-c2"),
        ({"since": "noon"}, "since: must be a time such as 1:30, not noon"),
        ({"like": "c1/77"}, "c1/77: there is no such passage in this run"),
        ({"query": "gone"}, "this picture is no longer known; give it again"),
    ],
)
def test_a_wrong_filter_is_refused_in_one_line(client: TestClient, asked: dict[str, str], said: str) -> None:
    answer = client.get("/api/identities", params=asked)
    assert (answer.status_code, answer.json()["error"]) == (422, said)
    assert said.replace(">", "&gt;") in client.get("/find", params=asked).text


def test_crops_and_clips_show_the_passage(client: TestClient, session: Session) -> None:
    crop = client.get("/api/passages/0/crops/0.jpg")
    picture = cv2.imdecode(np.frombuffer(crop.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture[10, 10].argmax() == 2  # the first vehicle is red
    assert client.get("/api/passages/0/crops/2.jpg").status_code == 404
    # The last vehicle passes behind frame 300, where the file is entered in the middle.
    row = session.row_of["c1/6"]
    clip = client.get(f"/api/passages/{row}/clip.mp4")
    assert clip.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(clip.content)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(frames) == 30  # twenty boxes and half a second on both sides
    yellow = [bool(((f[:, :, 0] < 100) & (f[:, :, 2] > 180)).sum() > 200) for f in frames]
    assert yellow[5:25] == [True] * 20 and not yellow[0] and not yellow[-1]
    part = client.get(f"/api/passages/{row}/clip.mp4", headers={"range": "bytes=0-99"})
    assert part.status_code == 206 and len(part.content) == 100


def test_a_camera_without_video_has_no_clip(client: TestClient, session: Session) -> None:
    answer = client.get(f"/api/passages/{session.row_of['c2/1']}/clip.mp4")
    assert (answer.status_code, answer.json()["error"]) == (422, "c2: has no video, only boxes")


def test_the_timeline_holds_every_passage(client: TestClient, session: Session) -> None:
    content = client.get("/api/timeline").content
    (n,) = struct.unpack_from("<I", content)
    assert n == len(session.snapshot.index.order) and len(content) == 4 + n * 18
    start = np.frombuffer(content, "<f4", n, 4)
    assert start.min() == pytest.approx(0.0) and start.max() == pytest.approx(38.0)


def test_tables_are_given_as_csv_and_parquet(client: TestClient) -> None:
    counts = pl.read_csv(io.BytesIO(client.get("/api/tables/counts.csv").content))
    assert counts["vehicles"].sum() == 18 and set(counts["camera"]) == {"c1", "c2", "c3"}
    travel = pl.read_parquet(io.BytesIO(client.get("/api/tables/travel_times.parquet").content))
    assert set(travel["travel_seconds"].round(1)) <= {0.1, 2.1}
    pairs = pl.read_csv(io.BytesIO(client.get("/api/tables/origin_destination.csv").content))
    assert pairs["vehicles"].sum() == len(numbers(client))
    assert client.get("/api/tables/secrets.csv").status_code == 422


def test_answers_act_and_are_undone(client: TestClient) -> None:
    before = client.get("/api/identities/1").json()
    keys = [p["key"] for p in before["passages"]]
    body = {"kind": "different", "first": keys[:1], "second": keys[1:], "author": "Ada"}
    told = client.post("/api/answers", json=body)
    assert told.status_code == 201, told.text
    assert [p["key"] for p in client.get("/api/identities/1").json()["passages"]] == keys[:1]
    seq = told.json()["entry"]["seq"]
    assert client.post(f"/api/answers/{seq}/undo", json={"author": "Bob"}).status_code == 201
    assert [p["key"] for p in client.get("/api/identities/1").json()["passages"]] == keys
    log = client.get("/api/answers").json()["entries"]
    assert [(e["kind"], e["author"], e["undoes"]) for e in log] == [("different", "Ada", None), ("undo", "Bob", seq)]
    again = client.post(f"/api/answers/{seq}/undo", json={})
    assert (again.status_code, again.json()["error"]) == (422, f"answer {seq}: is undone already")
    assert "taken back" in client.get("/history").text


def test_an_answer_against_a_fact_is_refused_with_the_reason(client: TestClient) -> None:
    client.post("/api/answers", json={"kind": "different", "first": ["c1/5"], "second": ["c2/5"]})
    refused = client.post("/api/answers", json={"kind": "same", "first": ["c1/5"], "second": ["c2/5"]})
    assert refused.status_code == 422 and "must-linked" in refused.json()["error"]
    assert len(client.get("/api/answers").json()["entries"]) == 1


def test_nobody_overrides_what_they_have_not_seen(client: TestClient) -> None:
    pair = {"first": ["c1/5"], "second": ["c2/5"], "after": 0}
    assert client.post("/api/answers", json={**pair, "kind": "different", "author": "Ada"}).status_code == 201
    late = client.post("/api/answers", json={**pair, "kind": "unsure", "author": "Bob"})
    assert late.status_code == 409 and late.json()["entries"][0]["author"] == "Ada"
    elsewhere = {"kind": "unsure", "first": ["c1/2"], "second": ["c2/2"], "after": 0}
    assert client.post("/api/answers", json=elsewhere).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "same", "first": ["c1/1"]},
        {"kind": "same", "first": ["../../etc/passwd"], "second": ["c1/1"]},
        {"kind": "erase", "first": ["c1/1"]},
        {"kind": "different", "first": ["c1/1"], "second": ["c1/1"]},
        {"kind": "unsure", "first": [], "second": []},
        {"kind": "unsure", "first": ["c1/1"], "extra": 1},
    ],
)
def test_malformed_answers_are_refused(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post("/api/answers", json=body).status_code == 422
    assert client.get("/api/answers").json() == {"entries": []}


def test_exports_come_back_as_answers(client: TestClient, session: Session) -> None:
    assert client.get("/api/export/constraints.yaml").text == ""
    for name in ("mot.zip", "cvat.zip"):
        content = client.get(f"/api/export/{name}").content
        same = client.post("/api/import", params={"name": name}, content=content)
        assert same.json() == {"answers": {}, "applied": 0, "refused": []}, name
    # In CVAT somebody gives one passage the name of another vehicle.
    one, other = (int(session.snapshot.index.identity[session.row_of[key]]) for key in ("c1/5", "c1/6"))
    files = zipfile.ZipFile(io.BytesIO(client.get("/api/export/cvat.zip").content))
    text = files.read("c3.xml").decode()
    changed = text.replace(f'<attribute name="id">{one}</attribute>', f'<attribute name="id">{other}</attribute>')
    found = client.post("/api/import", params={"name": "c3.xml"}, content=changed.encode()).json()
    assert found["answers"] == {"same": 1}  # of c3 alone: its two tracks of that number are one vehicle
    applied = client.post("/api/import", params={"name": "c3.xml", "apply": True}, content=changed.encode()).json()
    assert applied["applied"] + len(applied["refused"]) == 1


def test_constraints_are_exported_and_read_back(client: TestClient) -> None:
    client.post("/api/answers", json={"kind": "different", "first": ["c1/5"], "second": ["c2/5"]})
    client.post("/api/answers", json={"kind": "not-a-vehicle", "first": ["c3/2"]})
    text = client.get("/api/export/constraints.yaml").text
    assert "cannot-link" in text and "not-a-vehicle" in text
    again = client.post("/api/import", params={"name": "c.yaml"}, content=text.encode()).json()
    assert again["answers"] == {}  # it says what the log says
    for entry in client.get("/api/answers").json()["entries"]:
        client.post(f"/api/answers/{entry['seq']}/undo", json={})
    back = client.post("/api/import", params={"name": "c.yaml", "apply": True}, content=text.encode()).json()
    assert back["answers"] == {"different": 1, "not-a-vehicle": 1} and back["applied"] == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.zip", b"PK nonsense"),
        ("c1.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><annotations/>'),
        ("c1.xml", b"<svg/>"),
        ("c9.txt", b"1,1,0,0,5,5"),
        ("c1.txt", b"one,two"),
        ("c1.exe", b"MZ"),
        ("c.yaml", b"- must-link: 3"),
        ("c1.txt", b""),
    ],
)
def test_files_that_are_no_corrections_are_refused(client: TestClient, name: str, content: bytes) -> None:
    answer = client.post("/api/import", params={"name": name}, content=content)
    assert answer.status_code == 422 and "/tmp" not in answer.json()["error"]


@pytest.mark.parametrize("content", [b"", b"no picture", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"0" * 50])
def test_what_is_no_picture_is_refused(client: TestClient, content: bytes) -> None:
    answer = client.post("/api/pictures", content=content)
    assert answer.status_code == 422 and answer.json()["error"].startswith("picture: ")


def test_pictures_that_are_too_large_are_refused(client: TestClient) -> None:
    assert "larger than" in client.post("/api/pictures", content=bytes(12_000_001)).json()["error"]
    bomb = io.BytesIO()
    from PIL import Image

    Image.new("1", (7000, 7000)).save(bomb, "PNG")
    assert client.post("/api/pictures", content=bomb.getvalue()).status_code == 422


def test_a_run_without_a_network_says_why_pictures_cannot_be_compared(client: TestClient) -> None:
    picture = cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes()
    assert "cannot be compared" in client.post("/api/pictures", content=picture).json()["error"]


def test_openapi_describes_all_that_the_page_can_do(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()["paths"]
    routes = {r.path for r in client.app.routes if getattr(r, "path", "").startswith("/api/")}  # type: ignore[attr-defined]
    assert routes - {"/api/openapi.json"} == set(described)


# Safety.


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "x@127.0.0.1"])
def test_other_names_are_not_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/state", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_change_nothing(client: TestClient, headers: dict[str, str]) -> None:
    body = {"kind": "not-a-vehicle", "first": ["c1/1"]}
    assert client.post("/api/answers", json=body, headers=headers).status_code == 403
    assert client.get("/api/answers").json() == {"entries": []}


def test_a_form_of_another_site_lacks_the_header(session: Session) -> None:
    with TestClient(make_app(session), base_url="http://localhost:8000") as client:
        assert client.post("/api/answers", json={"kind": "unsure", "first": ["c1/1"]}).status_code == 403


def test_with_a_token_everything_needs_it(session: Session) -> None:
    token = "0123456789abcdef-token"
    app = make_app(session, Access(token))
    with TestClient(app, base_url="http://box.local:8000", headers=ASK, follow_redirects=False) as client:
        for path in ("/", "/api/state", "/static/page.js", "/api/passages/0/crops/0.jpg", "/api/openapi.json"):
            assert client.get(path).status_code == 401
        assert client.get("/", params={"token": "wrong"}).status_code == 401
        assert client.get("/api/state", headers={"authorization": f"Bearer {token}"}).status_code == 200
        entered = client.get("/find", params={"token": token})
        assert (entered.status_code, entered.headers["location"]) == (303, "/find")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        assert client.get("/find").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/api/tables/..%2f..%2frun.json",
        "/api/passages/-1/crops/0.jpg",
        "/api/passages/0/crops/-1.jpg",
        "/api/passages/99999/clip.mp4",
    ],
)
def test_paths_do_not_leave_what_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 422)
