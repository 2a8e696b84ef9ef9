from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from common.errors import InputError
from mtmc.appearance.features import TrackFeatures
from mtmc.crops.table import Crops
from mtmc.online.archive import HOUR, Archive
from mtmc.online.messages import CameraReport, ClosedTrack, LiveRows
from mtmc.online.packing import pack_reports, unpack_reports
from mtmc.online.store import Store, TrackRow
from mtmc.online.tables import table


def rows(track: int, first: float, boxes: int = 10) -> LiveRows:
    seconds = first + np.arange(boxes) / 10
    frame = np.round(seconds * 10).astype(np.int32)
    return LiveRows._of(track, frame, seconds, [[1, 2, 30, 40]] * boxes, 0.9, 2)


def closed(camera: str, track: int, first: float) -> TrackRow:
    return TrackRow(camera, track, rows(track, first), (320, 180), np.full(4, 0.5, np.float32), 0.7)


def add(store: Store, *tracks: TrackRow) -> None:
    with store.transaction():
        for track in tracks:
            store.add_track(track, int(track.rows.seconds.max() // HOUR))


def say(store: Store, count: int = 1, seconds: float = 1.0) -> None:
    with store.transaction():
        for _ in range(count):
            store.add_event(seconds, "opened", identity=None, camera="c1", track=1, content={"reason": "new"})


def test_events_are_numbered_without_gaps_and_nothing_of_a_failed_transaction_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    say(store, 2)
    with pytest.raises(RuntimeError, match="killed"), store.transaction():
        store.add_event(2.0, "assigned", identity=1, camera="c1", track=1, content={})
        raise RuntimeError("killed")
    say(store)
    store.close()

    again = Store(tmp_path)
    assert [event.seq for event in again.events()] == [1, 2, 3]
    assert [event.kind for event in again.events(after=2)] == ["opened"]
    assert again.events()[0].as_dict()["reason"] == "new"


def test_numbers_of_events_go_on_after_the_old_ones_are_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    say(store, 3)
    with store.transaction():
        store.forget(before=100.0)
    store.close()
    store = Store(tmp_path)
    say(store)
    assert [event.seq for event in store.events()] == [4]


def test_one_process_writes_and_others_may_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    say(store)
    with pytest.raises(InputError, match="another process"):
        Store(tmp_path)
    assert len(Store(tmp_path, read_only=True).events()) == 1
    store.close()
    Store(tmp_path).close()


def test_a_store_that_is_not_there_damaged_or_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such store"):
        Store(tmp_path / "none", read_only=True)
    (tmp_path / "live.sqlite").write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(InputError, match=r"live\.sqlite.*damaged"):
        Store(tmp_path)
    other = Store(tmp_path / "other")
    other.set_meta("version", "99")
    other.close()
    with pytest.raises(InputError, match="version 99"):
        Store(tmp_path / "other")


@pytest.mark.parametrize("folder", ["file", "file/below", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_named(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=rf"{folder}: cannot be used as the store \(.*\); choose another folder"):
        Store(tmp_path / folder)


def test_a_full_disk_names_the_path_and_loses_nothing_that_was_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    say(store, 5)
    pages = store._base.execute("PRAGMA page_count").fetchone()[0]
    store._base.execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(OSError, match="No space left") as caught, store.transaction():
        for _ in range(2000):
            store.add_event(1.0, "opened", identity=None, camera="c1", track=1, content={"reason": "x" * 100})

    assert str(caught.value.filename) == str(tmp_path / "live.sqlite")
    with pytest.raises(OSError, match="No space left"):
        store.set_meta("key", "x" * 100_000)
    store._base.execute("PRAGMA max_page_count = 100000")
    say(store)
    assert [event.seq for event in store.events()] == [1, 2, 3, 4, 5, 6]


def test_a_process_killed_within_a_transaction_leaves_the_one_before(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom mtmc.online.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "def say(): store.add_event(1.0, 'opened', identity=None, camera='c', track=1, content={})\n"
        "with store.transaction(): say(); say()\n"
        "with store.transaction():\n    for _ in range(500): say()\n    print('now', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"now\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()

    store = Store(tmp_path)
    assert [event.seq for event in store.events()] == [1, 2]
    say(store)
    assert store.events()[-1].seq == 3


def test_reports_survive_packing() -> None:
    features = TrackFeatures._of([4], [[0.6, 0.8]], [1.0])
    track = ClosedTrack(3, rows(3, 5.0), Crops.empty(), np.array([0.0, 1.0], np.float32), 0.5, "lost sight")
    dropped = ClosedTrack(5, LiveRows.empty(), Crops.empty(), None, 0.0)
    report = CameraReport(
        "c1", 2, "running", "", "stream", 7.25, 70, 320, 180, rows(4, 6.0), features, (track, dropped)
    )
    silent = CameraReport("c2", 0, "waiting", "refused", "arrival", float("-inf"), 0, 0, 0)

    back, other = unpack_reports(pack_reports([report, silent]))

    assert (back.camera, back.session, back.seconds, back.width) == ("c1", 2, 7.25, 320)
    assert back.rows.seconds.tolist() == report.rows.seconds.tolist()
    assert back.features.vector[0] == pytest.approx([0.6, 0.8], abs=1e-3)
    assert [(c.number, c.why, len(c.rows)) for c in back.closed] == [(3, "lost sight", 10), (5, "left", 0)]
    assert back.closed[0].vector is not None
    assert back.closed[1].vector is None
    assert other.seconds == float("-inf")
    assert pack_reports([back, other]) == pack_reports(unpack_reports(pack_reports([back, other])))


def test_tracks_move_to_the_file_of_their_hour_once_it_is_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    archive = Archive(store)
    add(store, closed("c1", 1, 100.0), closed("c1", 2, 3599.5), closed("c2", 1, 5000.0))

    archive.roll(now=4000.0)

    assert sorted(path.name for path in tmp_path.glob("*/*.parquet")) == ["1970-01-01T00.parquet"] * 2
    assert store.pending_hours() == [1]
    assert archive.hours() == [0, 1]
    assert archive.tracks(0)["track"].unique().to_list() == [1]
    assert archive.tracks(1).select("camera", "track").unique(maintain_order=True).rows() == [("c1", 2), ("c2", 1)]
    assert archive.features(0)["vector"].to_list() == [[0.5] * 4]
    boxes = pl.read_parquet(tmp_path / "tracks" / "1970-01-01T00.parquet")
    assert boxes.columns == ["camera", "track", "frame", "seconds", "left", "top", "width", "height", "score", "label"]
    # A track that arrives late joins its file.
    add(store, closed("c2", 9, 200.0))
    archive.roll(now=float("inf"))
    assert archive.tracks(0)["camera"].unique().sort().to_list() == ["c1", "c2"]
    assert store.pending_hours() == []


def test_a_kill_between_file_and_database_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    archive = Archive(store)
    add(store, closed("c1", 1, 100.0))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "drop_pending", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            archive.roll(float("inf"))

    assert len(archive.tracks(0)) == 10
    archive.roll(float("inf"))
    assert len(archive.tracks(0)) == 10
    assert len(archive.features(0)) == 1


def test_crops_are_a_ring_and_old_files_go(tmp_path: Path) -> None:
    store = Store(tmp_path)
    crops = Crops.of([1], [5], [[0, 0, 9, 9]], [1.0], [0.0], [os.urandom(20_000)])
    archive = Archive(store, crop_bytes=70_000)
    for track in range(1, 11):
        archive.keep_crops(track // 4, "c1", track, crops)

    kept = sorted(path.name for path in tmp_path.glob("crops/*/*"))
    assert kept == ["c1-10.parquet", "c1-8.parquet", "c1-9.parquet"]
    assert archive.crop_bytes <= 70_000
    assert Archive(store, crop_bytes=70_000).crop_bytes == archive.crop_bytes
    assert len(archive.crops(2, "c1", 9)) == 1
    assert len(archive.crops(0, "c1", 1)) == 0

    add(store, closed("c1", 1, 100.0), closed("c1", 2, 4000.0), closed("c1", 3, 8000.0))
    archive.roll(float("inf"))
    archive.forget(before=HOUR, max_bytes=1e9)
    assert archive.hours() == [1, 2]
    archive.forget(before=0.0, max_bytes=1.0)
    assert archive.hours() == []


def test_tables_by_quarter_of_an_hour(tmp_path: Path) -> None:
    store = Store(tmp_path)
    # Two vehicles go from a over b to c in 20 s each; one is seen in a alone; one goes from b to a later.
    tracks = [("a", 1, 10.0, 1), ("b", 1, 31.0, 1), ("c", 1, 52.0, 1), ("a", 2, 20.0, 2), ("b", 2, 43.0, 2)]
    tracks += [("a", 3, 30.0, 3), ("b", 3, 1000.0, 4), ("a", 4, 1011.0, 4)]
    add(store, *(closed(camera, number, first) for camera, number, first, _ in tracks))
    with store.transaction():
        for camera, number, _, identity in tracks[:-3] + tracks[-2:]:
            store.set_identity(camera, number, identity, final=True, seconds=0.0)

    counts = table(store, "counts")
    assert counts.rows() == [(0.0, "a", 3), (0.0, "b", 2), (0.0, "c", 1), (900.0, "a", 1), (900.0, "b", 1)]
    links = table(store, "links").select("quarter", "origin", "destination", "vehicles", "median_seconds")
    assert links.rows() == [
        (0.0, "a", "b", 2, pytest.approx(21.1)),
        (0.0, "b", "c", 1, pytest.approx(20.1)),
        (900.0, "b", "a", 1, pytest.approx(10.1)),
    ]
    journeys = table(store, "journeys").select("quarter", "origin", "destination", "vehicles")
    assert journeys.rows() == [(0.0, "a", "b", 1), (0.0, "a", "c", 1), (900.0, "b", "a", 1)]
    assert table(store, "links", first=1e6).is_empty()


def test_traffic_in_both_directions_compares_the_clocks_of_two_cameras(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rng = np.random.default_rng(0)
    with store.transaction():
        for vehicle in range(60):
            begin, travel = 30.0 * vehicle, float(rng.normal(20.0, 2.0))
            # The clock of b is 6 s ahead. Even vehicles go from a to b, odd ones back; only few come by c.
            ways = (
                [("a", begin), ("b", begin + travel + 6)] if vehicle % 2 else [("b", begin + 6), ("a", begin + travel)]
            )
            if vehicle < 5:
                ways.append(("c", begin + 100))
            for camera, second in ways:
                rows = LiveRows._of(vehicle, [1, 2], [second, second + 1e-3], [[0, 0, 9, 9]] * 2, 0.9, 2)
                store.add_track(TrackRow(camera, vehicle, rows, (64, 48), None, 0.0), 0)
                store.set_identity(camera, vehicle, vehicle + 1, final=True, seconds=0.0)

    [row] = table(store, "clocks").iter_rows(named=True)

    assert (row["camera"], row["other"], row["vehicles"], row["vehicles_back"]) == ("a", "b", 30, 30)
    assert abs(row["ahead_seconds"] - 6) < 4 * row["error_seconds"] < 2
