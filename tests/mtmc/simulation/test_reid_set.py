"""The re-id set follows VeRi-776's layout and protocol."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from common.errors import InputError
from mtmc.simulation.difficulty import colour_ranking, look_alikes
from mtmc.simulation.reid_set import simulate_reid


def names(root: Path, subset: str) -> list[str]:
    return (root / f"name_{subset}.txt").read_text().split()


def identity(name: str) -> int:
    return int(name[:4])


def test_lists_name_the_images_that_are_there(small_reid: Path) -> None:
    for subset in ("train", "query", "test"):
        listed = names(small_reid, subset)
        assert listed
        assert sorted(listed) == sorted(p.name for p in (small_reid / f"image_{subset}").iterdir())
        assert all(re.fullmatch(r"\d{4}_c\d{3}_\d{8}_\d+\.jpg", name) for name in listed)


def test_identities_are_split_and_queries_are_gallery_members(small_reid: Path) -> None:
    train, query, test = (names(small_reid, s) for s in ("train", "query", "test"))
    assert {identity(n) for n in train} == set(range(1, 10))
    assert {identity(n) for n in test} == {10, 11, 12}
    assert set(query) <= set(test)
    assert len({(n[:4], n[5:9]) for n in query}) == len(query)
    for name in query:
        assert (small_reid / "image_query" / name).read_bytes() == (small_reid / "image_test" / name).read_bytes()


def test_good_and_junk_follow_the_camera_rule(small_reid: Path) -> None:
    gallery, query = names(small_reid, "test"), names(small_reid, "query")
    good = (small_reid / "gt_index.txt").read_text().splitlines()
    junk = (small_reid / "jk_index.txt").read_text().splitlines()
    assert len(good) == len(junk) == len(query)
    for name, good_row, junk_row in zip(query, good, junk, strict=True):
        rows = {g: (gallery[int(g) - 1][:4], gallery[int(g) - 1][5:9]) for g in (good_row + " " + junk_row).split()}
        assert good_row.split()
        assert all(rows[g][0] == name[:4] and rows[g][1] != name[5:9] for g in good_row.split())
        assert all(rows[g] == (name[:4], name[5:9]) for g in junk_row.split())
        assert len(rows) == sum(g[:4] == name[:4] for g in gallery)


def test_labels_parse_and_agree_with_names(small_reid: Path) -> None:
    for subset in ("train", "test"):
        # Python's parser refuses the declared gb2312; the content is plain ASCII
        text = (small_reid / f"{subset}_label.xml").read_text(encoding="gb2312").split("\n", 1)
        assert 'encoding="gb2312"' in text[0]
        items = list(ElementTree.fromstring(text[1]).iter("Item"))
        assert [i.get("imageName") for i in items] == names(small_reid, subset)
        for item in items:
            name = str(item.get("imageName"))
            assert item.get("vehicleID") == name[:4]
            assert item.get("cameraID") == name[5:9]
            assert 1 <= int(str(item.get("colorID"))) <= 10
            assert 1 <= int(str(item.get("typeID"))) <= 9


def test_tracks_hold_every_test_image_once(small_reid: Path) -> None:
    tracks = [line.split() for line in (small_reid / "test_track.txt").read_text().splitlines()]
    assert sorted(name for track in tracks for name in track) == sorted(names(small_reid, "test"))
    assert all(len({(n[:4], n[5:9]) for n in track}) == 1 for track in tracks)


def test_images_are_crops_of_vehicles_seen_by_several_cameras(small_reid: Path) -> None:
    listed = names(small_reid, "train")
    cameras = {i: {n[5:9] for n in listed if identity(n) == i} for i in range(1, 10)}
    assert min(len(c) for c in cameras.values()) >= 2
    sizes = np.array([cv2.imread(str(small_reid / "image_train" / n)).shape[:2] for n in listed])
    assert sizes.min() >= 30
    assert sizes.max() < 540


def test_colour_ranks_it_and_look_alikes_are_listed(small_reid: Path) -> None:
    ranking = colour_ranking(small_reid)
    assert ranking.queries == len(names(small_reid, "query"))
    assert 0 < ranking.mean_average_precision <= 1
    alike, total = look_alikes(small_reid / "simulated_vehicles.txt")
    assert total == 12
    assert alike >= 4


def test_two_processes_give_the_same_set(small_reid: Path, tmp_path: Path) -> None:
    simulate_reid(tmp_path / "again", seed=2, identities=12, workers=2, cameras=4)
    first, second = (
        {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (small_reid, tmp_path / "again")
    )
    assert first == second


def test_small_vehicles_are_in_the_set_if_wanted(small_reid: Path, tmp_path: Path) -> None:
    def usual_side(root: Path) -> float:
        return float(np.median([min(cv2.imread(str(path)).shape[:2]) for path in (root / "image_train").iterdir()]))

    far = tmp_path / "far"
    simulate_reid(far, seed=2, identities=12, workers=2, cameras=4, min_side=12, min_visible=0.3, min_inside=0.3)
    assert usual_side(far) < 0.8 * usual_side(small_reid)


@pytest.mark.parametrize(("option", "value"), [("min_side", 0), ("min_visible", 0.0), ("min_inside", 1.5)])
def test_limits_of_images_out_of_range_are_refused(tmp_path: Path, option: str, value: float) -> None:
    with pytest.raises(InputError, match=option.replace("_", "-")):
        simulate_reid(tmp_path / "x", seed=0, identities=8, workers=1, **{option: value})


def test_too_few_identities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--identities"):
        simulate_reid(tmp_path / "x", seed=0, identities=3, workers=1)
