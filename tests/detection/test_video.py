"""Reading videos: numbering, selection, damage, odd formats."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from common.errors import InputError
from detection.video import Video, open_video

MakeVideo = Callable[..., Path]


def numbers_seen(video: Video, **selection: object) -> list[tuple[int, int]]:
    """(number given, number that the frame's grey says) of each frame."""
    return [(n, round((float(p.mean()) - 10) / 8)) for n, p in video.frames(**selection)]  # type: ignore[arg-type]


def erase_jpegs(path: Path, positions: set[int]) -> None:
    """Overwrite the frames at `positions` (from 0) of a motion-JPEG file with zeros."""
    data = bytearray(path.read_bytes())
    starts = [match.start() for match in re.finditer(rb"\xff\xd8\xff", data)]
    ends = [match.end() for match in re.finditer(rb"\xff\xd9", data)]
    for position in positions:
        end = next(end for end in ends if end > starts[position])
        data[starts[position] : end] = bytes(end - starts[position])
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "codec", "gop"),
    [("a.mp4", "libx264", 10), ("a.mkv", "libx264", 10), ("a.avi", "mpeg4", 10), ("a.webm", "libvpx-vp9", 10)],
)
def test_frames_are_numbered_from_one(make_video: MakeVideo, name: str, codec: str, gop: int) -> None:
    video = open_video(make_video(name, codec=codec, gop=gop))
    seen = numbers_seen(video)
    assert seen == [(n, n) for n in range(1, 21)]
    assert (video.stats.expected, video.stats.decoded, video.stats.broken, video.stats.lost) == (20, 20, 0, 0)
    assert (video.info.width, video.info.height, video.info.fps) == (64, 48, 10.0)


def test_picture_is_bgr_and_contiguous(tmp_path: Path) -> None:
    path = tmp_path / "blue.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "bgr24"
        picture = np.zeros((16, 32, 3), np.uint8)
        picture[:, :8] = (250, 20, 10)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
    ((_, read),) = open_video(path).frames()
    assert read.dtype == np.uint8 and read.flags.c_contiguous and read.flags.writeable
    np.testing.assert_array_equal(read, picture)


def test_small_raw_avi_that_kills_opencv(make_video: MakeVideo) -> None:
    video = open_video(make_video("raw.avi", size=(48, 48), codec="rawvideo"), threads=1)
    assert numbers_seen(video) == [(n, n) for n in range(1, 21)]


def test_selection_keeps_the_numbers(make_video: MakeVideo) -> None:
    video = open_video(make_video("a.mp4", codec="libx264", gop=12))
    assert numbers_seen(video, first=3, last=12, step=4) == [(3, 3), (7, 7), (11, 11)]
    assert (video.stats.expected, video.stats.decoded) == (12, 12)
    assert numbers_seen(video, wanted=[17, 2, 99]) == [(2, 2), (17, 17)]
    assert numbers_seen(video, wanted=[]) == []
    assert numbers_seen(video, last=1) == [(1, 1)]


def test_broken_frames_leave_gaps_and_are_counted(make_video: MakeVideo) -> None:
    path = make_video("a.mkv", codec="mjpeg", frames=12)
    erase_jpegs(path, {3, 4, 8})
    video = open_video(path)
    seen = numbers_seen(video)
    assert [given for given, _ in seen] == [1, 2, 3, 6, 7, 8, 10, 11, 12]
    assert all(given == shown for given, shown in seen)
    assert (video.stats.expected, video.stats.decoded, video.stats.broken, video.stats.lost) == (12, 9, 3, 3)


def test_broken_frames_of_an_avi_without_times(make_video: MakeVideo) -> None:
    path = make_video("a.avi", codec="mjpeg", frames=12)
    erase_jpegs(path, {5})
    video = open_video(path)
    seen = numbers_seen(video)
    assert [given for given, _ in seen] == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]
    assert all(given == shown for given, shown in seen)
    assert (video.stats.decoded, video.stats.broken, video.stats.lost) == (11, 1, 1)


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_video_that_ends_early(make_video: MakeVideo, name: str) -> None:
    path = make_video(name, codec="mjpeg", frames=40, gop=1)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    video = open_video(path)
    seen = numbers_seen(video)
    assert 10 <= len(seen) < 40
    assert [given for given, _ in seen] == list(range(1, len(seen) + 1))
    assert video.stats.expected == 40
    assert video.stats.lost == 40 - len(seen)


def test_real_video_cut_in_the_middle(shared: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes((shared / "video" / "highway-240p.avi").read_bytes()[:300_000])
    video = open_video(cut, threads=1)
    count = sum(1 for _ in video.frames())
    assert 100 < count < 740
    assert video.stats.expected == 750 and video.stats.lost == 750 - count


def test_real_video_with_damaged_stretches(shared: Path, tmp_path: Path) -> None:
    data = bytearray((shared / "video" / "suburb-352p.mp4").read_bytes())
    rng = np.random.default_rng(0)
    for start in rng.integers(len(data) // 4, len(data) * 3 // 4, 5):
        data[start : start + 300] = rng.integers(0, 256, 300, np.uint8).tobytes()
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    video = open_video(damaged, threads=1)
    numbers = [n for n, _ in video.frames()]
    assert numbers[0] == 1 and numbers[-1] == 905 and (np.diff(numbers) > 0).all()
    assert video.stats.expected == 905 and video.stats.lost == 905 - len(numbers) > 0


def test_times_follow_a_varying_rate(tmp_path: Path) -> None:
    path = tmp_path / "vfr.mp4"
    ticks = [0, 100, 200, 500, 600, 1000]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for pts in ticks:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="bgr24")
            frame.pts = pts
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    video = open_video(path)
    np.testing.assert_allclose(video.times(), np.array(ticks) / 1000, atol=2e-3)
    assert [n for n, _ in video.frames()] == [1, 2, 3, 4, 5, 6]


def test_joined_recordings_are_one_video(make_video: MakeVideo) -> None:
    parts = [make_video(f"{i}.ts", codec="libx264", gop=10, frames=15, fps=25).read_bytes() for i in range(3)]
    path = make_video("a.ts", codec="libx264", frames=1)
    path.write_bytes(b"".join(parts))
    video = open_video(path)
    seen = numbers_seen(video)
    assert [number for number, _ in seen] == list(range(1, 46))
    assert [grey for _, grey in seen] == [*range(1, 16)] * 3
    assert video.stats.lost == 0
    np.testing.assert_allclose(video.times(), np.arange(45) / 25, atol=1e-6)


def test_a_cover_picture_is_no_video(make_video: MakeVideo, tmp_path: Path) -> None:
    path = tmp_path / "cover.mkv"
    with av.open(str(make_video("plain.mp4", codec="libx264"))) as source, av.open(str(path), "w") as target:
        cover = target.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 640, 480, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        video = target.add_stream_from_template(source.streams.video[0])
        target.mux(cover.encode(av.VideoFrame.from_ndarray(np.full((480, 640, 3), 128, np.uint8), format="bgr24")))
        target.mux(cover.encode(None))
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = video
                target.mux(packet)
    opened = open_video(path)
    assert (opened.info.width, opened.info.height) == (64, 48)
    assert numbers_seen(opened) == [(n, n) for n in range(1, 21)]


def test_of_two_streams_the_larger_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        streams = []
        for width in (64, 128):
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
            streams.append(stream)
        for _ in range(5):
            for stream in streams:
                picture = np.full((48, stream.width, 3), 90, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        for stream in streams:
            container.mux(stream.encode(None))
    assert open_video(path).info.width == 128


def test_a_varying_rate_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "varying.mkv"
    times = [*(i / 30 for i in range(30)), *(1 + i / 2 for i in range(30))]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for second in times:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="bgr24")
            frame.pts, frame.time_base = round(1000 * second), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video = open_video(path)
    assert len(list(video.frames())) == 60
    assert video.stats.lost == 0
    np.testing.assert_allclose(video.times(), times, atol=2e-3)


def test_avi_times_are_uniform(make_video: MakeVideo) -> None:
    np.testing.assert_allclose(open_video(make_video("a.avi")).times(), np.arange(20) / 10)


def test_rotated_video_is_turned_upright(make_video: MakeVideo) -> None:
    path = make_video("phone.mp4", codec="libx264", frames=2)
    data = bytearray(path.read_bytes())
    # The track header's matrix: turn 90 degrees clockwise, as phones held upright write it.
    at = data.index(b"tkhd") + 4 + 40
    assert struct.unpack(">9i", data[at : at + 36])[0] == 0x10000
    data[at : at + 36] = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    path.write_bytes(data)
    video = open_video(path)
    assert (video.info.width, video.info.height) == (48, 64)
    assert all(picture.shape == (64, 48, 3) for _, picture in video.frames())


@pytest.mark.parametrize("content", [b"", b"not a video", np.random.default_rng(0).bytes(20_000)])
def test_file_that_is_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vdo.avi"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"vdo\.avi: cannot be opened") as caught:
        open_video(path)
    assert "\n" not in str(caught.value)


def test_missing_video_names_the_nearest(make_video: MakeVideo) -> None:
    path = make_video("vdo.avi")
    with pytest.raises(InputError, match=r"vdo\.avl: no such video; did you mean vdo\.avi"):
        open_video(path.with_name("vdo.avl"))
    with pytest.raises(InputError, match="nowhere does not exist"):
        open_video(path.parent / "nowhere" / "vdo.avi")


def test_sound_only_file(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(
        b"RIFF"
        + struct.pack("<I", 36 + 200)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
        + b"data"
        + struct.pack("<I", 200)
        + bytes(200)
    )
    with pytest.raises(InputError, match="holds no video"):
        open_video(path)


def test_folder_of_images(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f"img{number}.png"), np.full((20, 30, 3), number, np.uint8))
    (tmp_path / "img3.png").write_bytes(b"broken")
    (tmp_path / "notes.txt").write_text("no image")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        video = open_video(tmp_path, image_fps=5)
        frames = [(n, int(p[0, 0, 0])) for n, p in video.frames()]
    assert frames == [(1, 1), (2, 2), (4, 10)]
    assert (video.stats.expected, video.stats.decoded, video.stats.broken) == (4, 3, 1)
    np.testing.assert_allclose(video.times(), [0, 0.2, 0.4, 0.6])
    assert (video.info.width, video.info.height, video.info.fps, video.info.frames) == (30, 20, 5, 4)


def test_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        open_video(tmp_path)
