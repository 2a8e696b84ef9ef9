"""Results on object storage: shared between machines, whole or not there, and without secrets in messages."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from common.cache import Cache
from common.errors import InputError
from common.shared_storage import SharedStorage

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def url() -> Iterator[str]:
    """A fresh folder in memory."""
    yield "memory://city/results"
    fsspec.filesystem("memory").store.clear()


def write(cache: Cache, text: str, key: str = "k1") -> None:
    with cache.write("observe", key) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "tracks.txt").write_text(text)
        (folder / "stats.json").write_text("{}")


def test_what_one_machine_writes_another_finds(tmp_path: Path, url: str) -> None:
    write(Cache(tmp_path / "one", url), "tracks")
    other = Cache(tmp_path / "two", url)
    assert other.find("observe", "k2") is None
    found = other.need("observe", "k1")
    assert found.is_relative_to(tmp_path / "two")
    assert (found / "deep" / "tracks.txt").read_text() == "tracks"


def test_folders_on_a_mounted_disk_serve_as_well(tmp_path: Path) -> None:
    address = (tmp_path / "disk").as_uri()
    write(Cache(tmp_path / "one", address), "tracks")
    assert Cache(tmp_path / "two", address).find("observe", "k1") is not None


def test_results_from_before_are_shared_when_they_are_found(tmp_path: Path, url: str) -> None:
    write(Cache(tmp_path / "one"), "tracks")
    assert Cache(tmp_path / "two", url).find("observe", "k1") is None
    assert Cache(tmp_path / "one", url).find("observe", "k1") is not None
    assert Cache(tmp_path / "two", url).find("observe", "k1") is not None


@pytest.mark.parametrize("damage", ["manifest", "file", "shorter", "gone"])
def test_half_written_results_are_not_read_and_are_replaced(tmp_path: Path, url: str, damage: str) -> None:
    write(Cache(tmp_path / "one", url), "tracks")
    store = fsspec.filesystem("memory")
    [manifest] = store.glob("city/results/observe/*.json")
    [file] = store.glob("city/results/observe/*/deep/tracks.txt")
    content = store.cat_file(manifest)
    if damage == "manifest":
        store.pipe_file(manifest, content[:-9])
    elif damage == "gone":
        store.rm(file)
    else:
        store.pipe_file(file, b"tricks" if damage == "file" else b"tr")
    other = Cache(tmp_path / "two", url)
    assert other.find("observe", "k1") is None
    assert not list((tmp_path / "two" / "observe").glob("*"))
    write(other, "tracks again")
    assert (Cache(tmp_path / "three", url).need("observe", "k1") / "deep" / "tracks.txt").read_text() == "tracks again"


def test_a_cache_goes_to_other_processes(tmp_path: Path, url: str) -> None:
    cache = Cache(tmp_path / "one", url)
    write(cache, "tracks")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(cache.find, "observe", "k1").result() == cache.folder("observe", "k1")


def test_secrets_are_in_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "memory://KEY:s3cret@bucket/results?token=t0ken"
    storage = SharedStorage(address)

    def refuse(*_: object) -> None:
        raise PermissionError(f"403 for s3cret at {address}")

    file_system, _ = storage._open()
    monkeypatch.setattr(type(file_system), "exists", refuse)
    with pytest.raises(InputError) as caught:
        storage.check()
    for text in (str(caught.value), repr(storage)):
        assert "***@bucket/results" in text
        assert not any(secret in text for secret in ("KEY", "s3cret", "t0ken"))
    assert "\n" not in str(caught.value)


def test_wrong_addresses_and_missing_drivers_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"--shared-cache bucket/folder: not an address, such as s3://bucket/folder"):
        SharedStorage("bucket/folder")
    with pytest.raises(InputError, match=r"nosuch://bucket: cannot be opened \(ValueError: .*nosuch"):
        SharedStorage("nosuch://bucket").check()

    def missing(_: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(InputError, match=r"s3://bucket: needs the package s3fs: pip install 'mtmc\[storage\]'"):
        SharedStorage("s3://bucket").check()
