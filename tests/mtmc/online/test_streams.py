from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtmc.online.frames import LiveFrame, NewestFrame
from mtmc.online.reader import CameraReader
from mtmc.online.stream_clock import StreamClock
from mtmc.online.streams import MAX_WAIT, NetworkStream, Pauses, Playback, PlayedFile, StreamError
from mtmc.scenarios.clock import Clock

from .conftest import RtspServer, free_port, write_video

PATIENCE = 40.0
"""Seconds that a loaded machine may take; none of these tests asserts that something is quick."""


def frame(number: int, seconds: float | None = None, size: tuple[int, int] = (4, 3), session: int = 1) -> LiveFrame:
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    return LiveFrame(number, number / 10 if seconds is None else seconds, session, *size, lambda: picture)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class FakeSource:
    """Sessions of frames; each but the last one ends in a StreamError."""

    clock = "arrival"

    def __init__(self, *sessions: list[LiveFrame]) -> None:
        self.sessions = list(sessions)

    def frames(self, session: int, first_number: int) -> Iterator[LiveFrame]:
        yield from self.sessions.pop(0)
        if self.sessions:
            raise StreamError("lost")


def read_all(source: FakeSource, frame_rate: float | None = None) -> tuple[list[LiveFrame], CameraReader]:
    slot, found = NewestFrame(lossless=True), []
    reader = CameraReader(source, slot, frame_rate=frame_rate, stop=threading.Event())
    reader.start()
    while reader.is_alive() or slot._frame is not None:
        taken = slot.take(0.05)
        if taken is not None:
            found.append(taken)
    return found, reader


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    slot = NewestFrame()
    for number in range(1, 6):
        slot.put(frame(number))

    taken = slot.take(0)

    assert taken is not None
    assert (taken.number, slot.dropped) == (5, 4)
    assert slot.take(0) is None


def test_a_lossless_slot_waits_instead() -> None:
    found, reader = read_all(FakeSource([frame(n) for n in range(1, 30)]))

    assert [f.number for f in found] == list(range(1, 30))
    assert reader.state.state == "ended"


@pytest.mark.parametrize(("camera", "wanted"), [(25, 10), (30, 7), (10, 10), (15, 30)])
def test_frames_are_left_out_to_keep_the_wanted_rate(camera: float, wanted: float) -> None:
    jitter = np.random.default_rng(1).uniform(-0.1, 0.1, 200) / camera
    frames = [frame(n, n / camera + float(jitter[n - 1])) for n in range(1, 200)]

    found, reader = read_all(FakeSource(frames), wanted)

    assert len(found) == pytest.approx(min(camera, wanted) * 199 / camera, rel=0.06)
    assert reader.state.skipped == 199 - len(found)


def test_a_new_connection_is_a_new_session_and_so_is_another_picture_size() -> None:
    first = [frame(1), frame(2)]
    grown = [frame(3), frame(4, size=(8, 6))]  # changes within a session
    source = FakeSource(first, grown, [frame(5, size=(8, 6))])

    found, reader = read_all(source)

    assert [f.number for f in found] == [1, 2, 3, 5]
    assert reader.state.session == 3


def test_pauses_grow_to_a_bound_and_start_again_after_success() -> None:
    pauses = Pauses(lambda: 0.999)
    waits = [pauses.next() for _ in range(12)]

    assert waits == sorted(waits)
    assert MAX_WAIT * 0.9 < waits[-1] <= MAX_WAIT
    pauses.reset()
    assert pauses.next() < 1


def test_arrival_times_lose_the_delay_of_the_network() -> None:
    clock = StreamClock()
    delays = np.abs(np.random.default_rng(0).normal(0, 0.3, 400)) + 0.05
    delays[10] = 0.05
    found = [clock.at(n / 10, 1000 + n / 10 + float(delays[n])) for n in range(400)]

    assert sum(seconds is None for seconds in found) < 20
    errors = np.array([s - (1000 + n / 10) for n, s in enumerate(found) if s is not None and n >= 20])
    assert np.abs(errors).max() < 0.15
    assert (np.diff([s for s in found if s is not None]) > 0).all()


def test_the_camera_s_own_time_is_used_unless_its_clock_is_not_set() -> None:
    clock = StreamClock()
    assert clock.at(5.0, arrival=1010.0, start=1002.0) == 1007.0
    assert clock.source == "stream"
    assert clock.at(6.0, arrival=1010.5, start=3.0) == pytest.approx(1010.5)
    assert clock.source == "arrival"


def test_a_clock_that_is_off_is_bridged_and_the_difference_goes_on_to_the_next_session() -> None:
    # The camera's clock is 20 s behind; frames take 0.2 s, the first ones of a session longer.
    def session(clock: StreamClock) -> list[float | None]:
        return [clock.at(n / 10, 1020 + n / 10 + (0.8 if n < 3 else 0.2), start=1000.0) for n in range(30)]

    first = StreamClock()
    found = session(first)
    assert first.source == "arrival"
    assert first.lag == pytest.approx(20.2, abs=0.01)
    assert found[-1] == pytest.approx(1020 + 2.9 + 0.2, abs=0.01)

    again = StreamClock(first.lag)
    assert session(again) == pytest.approx([1020 + n / 10 + 0.2 for n in range(30)], abs=0.02)  # none is left out


@pytest.mark.parametrize("known", [20.2, -30.0])
def test_what_was_known_of_a_clock_is_forgotten_when_it_was_set(known: float) -> None:
    clock = StreamClock(known)
    assert clock.at(0.0, 1000.3, start=1000.0) == 1000.0
    assert clock.source == "stream"
    assert clock.lag == pytest.approx(0.3)


def test_frames_are_left_out_when_better_times_turn_out_to_be_earlier() -> None:
    clock = StreamClock()
    assert clock.at(5.0, arrival=1010.0) == 1010.0
    assert clock.at(5.1, arrival=1010.1, start=1002.0) is None
    assert clock.at(8.1, arrival=1013.1, start=1002.0) == pytest.approx(1010.1)


def test_a_file_is_played_at_its_speed_from_where_it_is_asked_to(tmp_path: Path) -> None:
    path = write_video(tmp_path / "gate.mp4", frames=30)
    start = time.time()
    play = Playback(Clock.uniform(10.0, start=100.0), begin=101.0, wall=start, speed=4.0)

    found = list(PlayedFile(path, play, threading.Event()).frames(1, 1))

    assert [f.number for f in found] == list(range(11, 31))
    assert found[0].seconds == pytest.approx(101.0)
    assert time.time() - start >= 1.9 / 4
    assert found[0].to_picture().shape == (120, 160, 3)


def test_a_broken_file_is_an_error_of_that_camera(tmp_path: Path) -> None:
    (tmp_path / "gate.mp4").write_bytes(b"no video")
    play = Playback(Clock.uniform(10.0), begin=0.0, wall=0.0)

    with pytest.raises(StreamError, match=r"gate\.mp4"):
        list(PlayedFile(tmp_path / "gate.mp4", play, threading.Event()).frames(1, 1))


def test_no_server_is_an_error_without_credentials() -> None:
    stream = NetworkStream(f"rtsp://admin:hunter2@127.0.0.1:{free_port()}/gate.mp4")

    with pytest.raises(StreamError) as caught:
        next(iter(stream.frames(1, 1)))

    assert "refused" in str(caught.value)
    assert "hunter2" not in str(caught.value)


class _Pictures(BaseHTTPRequestHandler):
    """A camera that sends JPEG pictures over HTTP, eight a second."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        body = cv2.imencode(".jpg", np.full((120, 160, 3), 90, np.uint8))[1].tobytes()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with contextlib.suppress(OSError):
            for _ in range(200):
                self.wfile.write(head + body + b"\r\n")
                time.sleep(0.125)

    def log_message(self, *arguments: object) -> None:
        pass


def test_pictures_over_http_have_the_times_of_their_arrival() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pictures)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        stream = NetworkStream(f"http://admin:hunter2@127.0.0.1:{server.server_address[1]}/video")
        found = []
        for taken in stream.frames(1, 1):
            found.append((taken.seconds, time.time()))
            if len(found) == 16:
                break
    finally:
        server.shutdown()
        server.server_close()

    # FFmpeg's own stamps would be 0.04 s apart.
    assert found[-1][0] - found[5][0] > 8 * 0.125
    assert all(seconds <= now + 0.01 for seconds, now in found)
    assert stream.clock == "arrival"


def test_a_real_server_lost_frozen_and_back_with_another_picture_size(
    rtsp_server: RtspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtmc.online.streams.READ_SECONDS", 1.0)
    slot, stop = NewestFrame(), threading.Event()
    source = NetworkStream(rtsp_server.address())
    reader = CameraReader(source, slot, frame_rate=None, stop=stop)
    reader.start()
    try:
        taken = slot.take(PATIENCE)
        assert taken is not None
        assert taken.session == 1
        assert (taken.width, taken.height) == (160, 120)
        assert abs(taken.seconds - time.time()) < 60
        assert source.clock == "stream"
        assert taken.to_picture().std() < 3  # nothing smeared before the first key frame

        rtsp_server.kill()
        wait_until(lambda: reader.state.state == "waiting")
        rtsp_server.start()
        wait_until(lambda: reader.state.session == 2 and reader.state.state == "running")

        rtsp_server.signal(signal.SIGSTOP)
        wait_until(lambda: reader.state.state == "waiting")
        assert "no data" in reader.state.detail
        rtsp_server.kill()
        write_video(rtsp_server.folder / "gate.mp4", size=(320, 240))
        rtsp_server.start()
        wait_until(lambda: reader.state.session == 3)
        slot.take(0)
        taken = slot.take(PATIENCE)
        assert taken is not None
        assert (taken.session, taken.width) == (3, 320)
        assert taken.number > 3
    finally:
        stop.set()
        slot.close()
