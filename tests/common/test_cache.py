"""Results on disk are complete or absent."""

import multiprocessing
import os
from pathlib import Path

import pytest

from common.cache import Cache, key_of
from common.files import file_digest, write_bytes


def test_a_finished_result_is_found_and_an_unfinished_one_is_not(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(RuntimeError), cache.write("observe", "k1") as folder:
        (folder / "tracks.txt").write_text("half")
        raise RuntimeError
    assert cache.find("observe", "k1") is None
    assert list((tmp_path / "observe").iterdir()) == []
    with cache.write("observe", "k1") as folder:
        (folder / "tracks.txt").write_text("whole")
        assert cache.find("observe", "k1") is None
    found = cache.find("observe", "k1")
    assert found is not None
    assert (found / "tracks.txt").read_text() == "whole"


def test_two_writers_of_one_result_leave_one_whole_result(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with cache.write("embed", "k") as first:
        (first / "a").write_text("1")
        with cache.write("embed", "k") as second:
            (second / "a").write_text("1")
    assert [p.name for p in (tmp_path / "embed").iterdir()] == ["k"]


def _begin_and_die(root: Path) -> None:
    with Cache(root).write("observe", "k1") as folder:
        (folder / "tracks.txt").write_text("half")
        os._exit(9)


def test_leftovers_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    killed = multiprocessing.get_context("spawn").Process(target=_begin_and_die, args=(tmp_path,))
    killed.start()
    killed.join()
    (tmp_path / "observe" / "k2").mkdir()
    assert len(list((tmp_path / "observe").iterdir())) == 2
    Cache(tmp_path).sweep()
    assert [p.name for p in (tmp_path / "observe").iterdir()] == ["k2"]


def test_work_of_a_living_process_is_not_swept(tmp_path: Path) -> None:
    with Cache(tmp_path).write("observe", "k1") as folder:
        (folder / "tracks.txt").write_text("half")
        Cache(tmp_path).sweep()
        assert (folder / "tracks.txt").is_file()
    assert Cache(tmp_path).find("observe", "k1") is not None


def test_the_key_depends_on_values_and_not_on_their_order() -> None:
    assert key_of({"a": 1, "b": [1.5, None]}) == key_of({"b": [1.5, None], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})


def test_a_changed_file_changes_the_digest(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    video = tmp_path / "vdo.avi"
    video.write_bytes(b"one")
    first = cache.file_digest(video)
    assert cache.file_digest(video) == first == file_digest(video)
    video.write_bytes(b"another")
    assert cache.file_digest(video) != first


def test_a_folders_digest_covers_its_files(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.xml").write_text("x")
    before = file_digest(tmp_path / "model")
    (tmp_path / "model" / "a.bin").write_text("y")
    assert file_digest(tmp_path / "model") != before


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "track1.txt"
    target.write_text("old")

    def disk_full(self: Path, other: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", disk_full)
    with pytest.raises(OSError, match="No space"):
        write_bytes(target, b"new")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["track1.txt"]
