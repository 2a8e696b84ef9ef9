"""Which files are a camera's clip, and its clock."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from common.errors import InputError
from mtmc.interface.scenarios import load_scenario
from mtmc.scenarios.facts import CameraFacts
from mtmc.scenarios.footage import footage_in, is_video, read_footage


def write_clip(path: Path, times: Sequence[float] | int = 20, fps: int = 10) -> Path:
    """A grey clip of 64 x 48, its frames at `times` seconds, or a number of frames at a constant rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = np.arange(times) / fps if isinstance(times, int) else np.asarray(times)
    with av.open(str(path), "w", format="mpegts" if path.suffix.lower() in (".ts", ".mts") else None) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90000)
        for second in seconds.tolist():
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="bgr24")
            frame.pts, frame.time_base = round(90000 * second), Fraction(1, 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_images(folder: Path, count: int = 5) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(1, count + 1):
        cv2.imwrite(str(folder / f"{i:06d}.jpg"), np.full((48, 64, 3), 90, np.uint8))
    return folder


VARYING = [*(i / 30 for i in range(30)), *(1 + i / 5 for i in range(30))]


def test_a_varying_rate_bends_the_clock_and_is_reported(tmp_path: Path) -> None:
    footage = read_footage(write_clip(tmp_path / "a.mp4", VARYING, 30), CameraFacts(), fps=None, start=2.0)
    np.testing.assert_allclose(footage.clock.at([1, 31, 60]), [2.0, 3.0, 8.8], atol=2e-3)
    assert footage.frames == 60
    assert "frame rate varies" in footage.note


def test_a_given_rate_takes_precedence(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", VARYING, 30)
    footage = read_footage(clip, CameraFacts(start=1.0), fps=8.0, start=0.0)
    np.testing.assert_allclose(footage.clock.at([1, 9]), [1.0, 2.0])
    assert footage.note == ""


def test_a_constant_rate_is_not_reported(tmp_path: Path) -> None:
    footage = read_footage(write_clip(tmp_path / "a.mkv", 20, 30), CameraFacts(clock_scale=1.5), fps=None, start=0.0)
    np.testing.assert_allclose(footage.clock.at([1, 46]), [0.0, 1.0], atol=1e-2)
    assert footage.note == ""


def test_image_sequences_take_their_rate_from_seqinfo_or_report_an_assumed_one(tmp_path: Path) -> None:
    write_images(tmp_path / "c1" / "img1")
    found = footage_in(tmp_path / "c1")
    assert found == tmp_path / "c1" / "img1"
    assert "10 frames per second assumed" in read_footage(found, CameraFacts(), fps=None, start=0.0).note
    (tmp_path / "c1" / "seqinfo.ini").write_text("[Sequence]\nframeRate=14\nimDir=img1\n")
    footage = read_footage(found, CameraFacts(), fps=None, start=0.0)
    assert (footage.fps, footage.frames, footage.note) == (14.0, 5, "")
    (tmp_path / "c1" / "seqinfo.ini").write_text("[Sequence]\nframeRate=fast\n")
    with pytest.raises(InputError, match=r"seqinfo\.ini: key 'frameRate'"):
        read_footage(found, CameraFacts(), fps=None, start=0.0)


def test_which_files_are_videos(tmp_path: Path) -> None:
    for name in ("a.MTS", "b.mpg", "c.wmv", "._d.mp4", "e.txt"):
        (tmp_path / name).touch()
    (tmp_path / "f.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "g.mp4").mkdir()
    assert [p.name for p in sorted(tmp_path.iterdir()) if is_video(p)] == ["a.MTS", "b.mpg", "c.wmv", "f.mp4"]


def test_videos_with_the_same_stem_are_two_cameras_and_nothing_is_ignored_silently(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name in ("gate.mp4", "gate.mkv", "20240501103000.MTS", "._gate.mp4"):
        write_clip(site / name) if not name.startswith(".") else (site / name).touch()
    (site / "lost.mp4").symlink_to("nowhere.mp4")
    (site / "notes.txt").write_text("mine")
    scenario = load_scenario(site)
    assert [camera.name for camera in scenario.cameras] == ["20240501103000", "gate.mkv", "gate.mp4"]
    assert [camera.number for camera in scenario.cameras] == [1, 2, 3]
    assert scenario.missing["lost"].endswith("lost.mp4: is a link to nowhere.mp4, which does not exist")
    assert any("notes.txt" in note for note in scenario.notes)


def test_folders_of_images_and_of_videos_are_cameras_side_by_side(tmp_path: Path) -> None:
    write_images(tmp_path / "site" / "c1" / "img1")
    write_clip(tmp_path / "site" / "c2" / "vdo.MP4")
    scenario = load_scenario(tmp_path / "site")
    assert [(camera.name, camera.frame_count) for camera in scenario.cameras] == [("c1", 5), ("c2", 20)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c1 nan\nc2 0\n", r"S90\.txt:1: the number of c1 must be finite"),
        ("C1 0\nc2 1.64\n", r"S90\.txt:1: there is no camera C1, and camera c1 has no line"),
        ("c1 0 7\n", r"S90\.txt:1: must be 'camera number'"),
    ],
)
def test_wrong_timestamps_are_named_with_their_line(tmp_path: Path, text: str, words: str) -> None:
    for camera in ("c1", "c2"):
        write_clip(tmp_path / "train" / "S90" / camera / "vdo.mp4")
    (tmp_path / "cam_timestamp").mkdir()
    (tmp_path / "cam_timestamp" / "S90.txt").write_text(text)
    with pytest.raises(InputError, match=words):
        load_scenario("S90", tmp_path)


def test_timestamps_with_a_byte_order_mark(tmp_path: Path) -> None:
    for camera in ("c1", "c2"):
        write_clip(tmp_path / "train" / "S90" / camera / "vdo.mp4")
    (tmp_path / "cam_timestamp").mkdir()
    (tmp_path / "cam_timestamp" / "S90.txt").write_text("c2 1.64\r\nc1\t0\r\n", encoding="utf-8-sig")
    scenario = load_scenario("S90", tmp_path)
    assert [camera.span[0] for camera in scenario.cameras] == [0.0, 1.64]


def test_a_clock_that_runs_backwards_is_named_with_its_key(tmp_path: Path) -> None:
    facts = tmp_path / "bad.yaml"
    facts.write_text("name: S90\ncameras:\n  c1: {clock: [[1, 0], [100, 4], [90, 5]]}\n")
    with pytest.raises(InputError, match=r"bad\.yaml: key 'cameras\.c1\.clock'"):
        load_scenario(facts, tmp_path)


def test_what_lies_beside_the_folders_of_cameras_is_named(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write_clip(site / "c1" / "vdo.mp4")
    write_clip(site / "loose.mp4")
    (site / "two").mkdir()
    for name in ("a.mp4", "b.mp4"):
        write_clip(site / "two" / name)
    scenario = load_scenario(site)
    assert [camera.name for camera in scenario.cameras] == ["c1"]
    assert any(note.endswith(": loose.mp4, two") and "ignored" in note for note in scenario.notes)
