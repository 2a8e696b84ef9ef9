"""Each data set is read as published, checked on loading, and a missing file is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from reid.datasets import DATASETS, UNKNOWN_CAMERA, UNKNOWN_VIEWPOINT, ImageTable, dataset_options, load_dataset
from reid.datasets.holdout import hold_out
from reid.datasets.table import join_tables

MakeDataset = Callable[[str], Path]


@pytest.mark.parametrize("name", [n for n in DATASETS if n != "csv"])
def test_every_layout_loads(tiny_datasets: Path, name: str) -> None:
    dataset = load_dataset(name, tiny_datasets / name)
    assert len(dataset.train) and len(dataset.query) and len(dataset.gallery)
    assert not set(dataset.train.identity) & set(dataset.gallery.identity)
    assert set(dataset.query.identity) <= set(dataset.gallery.identity)
    assert all(Path(p).is_file() for p in (*dataset.train.path, *dataset.query.path, *dataset.gallery.path))
    classes = dataset.train.classes()
    assert sorted(set(classes.tolist())) == list(range(dataset.train.identities))


def test_veri_names_give_identity_and_camera(tiny_datasets: Path) -> None:
    dataset = load_dataset("veri", tiny_datasets / "veri")
    assert (len(dataset.train), dataset.train.identities, dataset.train.cameras) == (48, 8, 3)
    assert (len(dataset.query), len(dataset.gallery)) == (12, 24)
    assert Path(dataset.train.path[0]).name == "0001_c001_00000000_0.jpg"
    assert (dataset.train.identity[0], dataset.train.camera[0]) == (1, 1)


def test_veri_joins_the_training_vehicles_of_further_folders(make_dataset: MakeDataset, tiny_datasets: Path) -> None:
    root = make_dataset("veri")
    alone, joined = load_dataset("veri", root), load_dataset("veri", root, also=f"{root}, {tiny_datasets / 'veri'}")
    assert (len(joined.train), joined.train.identities, joined.train.cameras) == (144, 24, 9)
    assert joined.query.path.tolist() == alone.query.path.tolist()
    assert not set(joined.train.identity[48:]) & set(joined.train.identity[:48])
    with pytest.raises(InputError, match=r"nowhere.*image_train"):
        load_dataset("veri", root, also=str(root.parent / "nowhere"))


def test_counts_other_than_the_published_are_notes_and_errors_when_strict(tiny_datasets: Path) -> None:
    notes = load_dataset("veri", tiny_datasets / "veri").notes
    assert "VeRi-776 train: 48 images instead of the published 37778" in notes
    assert not any("jk_index" in n or "gt_index" in n or "label" in n for n in notes)
    with pytest.raises(InputError, match="not veri as published"):
        load_dataset("veri", tiny_datasets / "veri", strict=True)


def test_veri_index_lists_are_held_against_the_junk_rule(make_dataset: MakeDataset) -> None:
    root = make_dataset("veri")
    lines = (root / "jk_index.txt").read_text().splitlines()
    lines[4] = "1 2"
    (root / "jk_index.txt").write_text("\n".join(lines))
    assert "VeRi-776: jk_index.txt differs from the junk rule in 1 lines, first 5" in load_dataset("veri", root).notes


def test_veri_label_file_is_held_against_the_names(make_dataset: MakeDataset) -> None:
    root = make_dataset("veri")
    text = (root / "train_label.xml").read_bytes().decode("gb2312")
    (root / "train_label.xml").write_bytes(text.replace('vehicleID="0003"', 'vehicleID="0004"').encode("gb2312"))
    assert any("train_label.xml disagrees with 6 file names" in n for n in load_dataset("veri", root).notes)


def test_simulated_data_is_named_so(make_dataset: MakeDataset) -> None:
    root = make_dataset("veri")
    (root / "simulated_vehicles.txt").write_text("# identity model paint\n")
    dataset = load_dataset("veri", root)
    assert dataset.name == "simulated"
    assert dataset.notes == (f"{root}: simulated data in the layout of VeRi-776, not VeRi-776",)


def test_veri_without_lists_takes_the_folders(make_dataset: MakeDataset) -> None:
    root = make_dataset("veri")
    (root / "name_test.txt").unlink()
    dataset = load_dataset("veri", root)
    assert len(dataset.gallery) == 24
    assert any("name_test.txt does not exist" in n for n in dataset.notes)


@pytest.mark.parametrize(
    ("name", "victim", "named"),
    [
        ("veri", "image_query/0009_c001_00000000_0.jpg", "0009_c001_00000000_0.jpg is listed in"),
        (
            "vehicleid",
            "train_test_split/test_list_800.txt",
            "test_list_800.txt does not exist",
        ),
        ("veriwild", "train_test_split/vehicle_info.txt", "vehicle_info.txt does not exist"),
        ("cityflow", "train_label.xml", "train_label.xml does not exist"),
        ("vric", "vric_probe.txt", "vric_probe.txt does not exist"),
    ],
)
def test_a_missing_file_is_named(make_dataset: MakeDataset, name: str, victim: str, named: str) -> None:
    root = make_dataset(name)
    (root / victim).unlink()
    with pytest.raises(InputError, match=r"VeRi|VehicleID|CityFlow|VRIC") as error:
        load_dataset(name, root)
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_vehicleid_draws_one_gallery_image_an_identity(tiny_datasets: Path) -> None:
    dataset = load_dataset("vehicleid", tiny_datasets / "vehicleid", size="large", seed=3)
    assert dataset.name == "vehicleid-large"
    assert len(dataset.splits) == 10
    for split in dataset.splits:
        assert len(split.gallery) == split.gallery.identities == 4
        assert len(split.query) == 20
        assert not set(split.query.path) & set(split.gallery.path)
    galleries = [tuple(s.gallery.path) for s in dataset.splits]
    assert len(set(galleries)) > 1
    again = load_dataset("vehicleid", tiny_datasets / "vehicleid", size="large", seed=3)
    assert [tuple(s.gallery.path) for s in again.splits] == galleries


def test_veriwild_queries_in_or_out_of_the_test_list_give_the_same(make_dataset: MakeDataset) -> None:
    root = make_dataset("veriwild")
    inside = load_dataset("veriwild", root)
    listing = root / "train_test_split" / "test_3000.txt"
    queries = set((root / "train_test_split" / "test_3000_query.txt").read_text().split())
    listing.write_text("\n".join(line for line in listing.read_text().split() if line not in queries))
    outside = load_dataset("veriwild", root)
    assert inside.gallery.path.tolist() == outside.gallery.path.tolist()
    assert len(inside.gallery) == 20
    assert inside.query.camera.tolist() == [1, 1, 1, 1]


def test_cityflow_holds_identities_out_and_adds_rendered_ones(tiny_datasets: Path) -> None:
    real = load_dataset("cityflow", tiny_datasets / "cityflow", holdout=0.25)
    assert (real.train.identities, real.gallery.identities) == (6, 2)
    mixed = load_dataset("cityflow", tiny_datasets / "cityflow", holdout=0.25, synthetic=True)
    assert mixed.train.identities == 9
    assert len(mixed.train) == len(real.train) + 6
    assert mixed.train.camera.max() == 3 + 1 + 2


def test_folder_takes_words_and_ready_made_parts(make_dataset: MakeDataset) -> None:
    root = make_dataset("folder")
    for part in ("query", "gallery"):
        (root / part / "red van").mkdir(parents=True)
        (root / part / "red van" / f"{'gate' if part == 'query' else 'yard'}_1.jpg").write_bytes(b"")
    dataset = load_dataset("folder", root)
    assert dataset.query.camera.tolist() == [1]
    assert dataset.gallery.camera.tolist() == [2]


def test_csv_without_camera_leaves_it_unknown(make_dataset: MakeDataset) -> None:
    root = make_dataset("folder")
    rows = [f"{p.relative_to(root)},{p.parent.name}" for p in sorted(root.rglob("*.jpg"))]
    (root / "data.csv").write_text("path,identity\n" + "\n".join(rows) + "\n")
    dataset = load_dataset("csv", root, holdout=0.5)
    assert (dataset.train.camera == UNKNOWN_CAMERA).all()
    assert (len(dataset.query), len(dataset.gallery)) == (4, 20)
    assert not set(dataset.query.path) & set(dataset.gallery.path)
    assert any("no known camera" in n for n in dataset.notes)


def test_csv_mistakes_name_the_line(make_dataset: MakeDataset) -> None:
    root = make_dataset("folder")
    (root / "data.csv").write_text("path,identity,split\n000/c1_0.jpg,1,trian\n")
    with pytest.raises(InputError, match=r"data\.csv:2: split is 'trian'"):
        load_dataset("csv", root)
    (root / "data.csv").write_text("path,name\n000/c1_0.jpg,1\n")
    with pytest.raises(InputError, match="no column 'identity'"):
        load_dataset("csv", root)


def test_wrong_names_get_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean veriwild"):
        load_dataset("veri-wild", ".")
    with pytest.raises(InputError, match="no option 'sise'; did you mean size"):
        load_dataset("veriwild", ".", sise="small")
    with pytest.raises(InputError, match="unknown size 'huge'"):
        load_dataset("veriwild", ".", size="huge")
    assert dataset_options("vehicleid") == {"size": "small", "draws": 10, "seed": 0}


def test_hold_out_tests_only_what_can_be_found() -> None:
    # identity 1 in two cameras, 2 in one, 3 with a single image, 4 without cameras but twice
    table = ImageTable.of([f"{i}.jpg" for i in range(7)], [1, 1, 2, 2, 3, 4, 4], [1, 2, 1, 1, 1, -1, -1])
    train, split = hold_out(table, 0.9, seed=0)
    assert sorted(set(train.identity.tolist())) == [2, 3]
    assert sorted(set(split.gallery.identity.tolist())) == [1, 4]
    assert np.bincount(split.query.identity).tolist() == [0, 2, 0, 0, 1]
    assert len(split.gallery) == 3  # the query without a camera is not in its own gallery
    nothing = hold_out(table, 0, seed=0)
    assert len(nothing[0]) == 7 and len(nothing[1].query) == 0
    with pytest.raises(InputError, match="holdout"):
        hold_out(table, 1.0, seed=0)


def test_tables_slice_and_join() -> None:
    table = ImageTable.of(["a", "b", "c"], [5, 5, 7])
    joined = ImageTable.concatenate([table[:1], ImageTable.empty(), table[np.array([False, True, True])]])
    assert joined.path.tolist() == ["a", "b", "c"]
    assert (joined.identities, joined.cameras) == (2, 0)
    with pytest.raises(ValueError, match="differ in length"):
        ImageTable(table.path, table.identity[:2], table.camera, table.viewpoint)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("vehicleid", "draws", "ten"),
        ("vehicleid", "draws", 2.5),
        ("vehicleid", "seed", -1),
        ("vehicleid", "size", 800),
        ("cityflow", "synthetic", 1),
        ("folder", "holdout", "half"),
        ("folder", "holdout", True),
    ],
)
def test_options_of_a_wrong_kind_are_named(tiny_datasets: Path, name: str, option: str, value: object) -> None:
    with pytest.raises(InputError, match=f"option '{option}' is .*give a value like"):
        load_dataset(name, tiny_datasets / name, **{option: value})


def test_a_csv_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match=r"data\.csv: not in UTF-8"):
        load_dataset("csv", tmp_path)


def test_a_missing_camera_is_named(make_dataset: MakeDataset) -> None:
    labels = make_dataset("cityflow") / "train_label.xml"
    labels.write_bytes(labels.read_bytes().replace(b' cameraID="c002"', b"", 1))
    with pytest.raises(InputError, match=r"train_label\.xml: item 2 lacks cameraID"):
        load_dataset("cityflow", labels.parent)
    info = make_dataset("veriwild") / "train_test_split" / "vehicle_info.txt"
    lines = info.read_text().splitlines()
    info.write_text("\n".join([lines[0], *lines[2:]]))
    with pytest.raises(InputError, match=r"00001/000100 \(and 0 more\) has no row in .*vehicle_info\.txt"):
        load_dataset("veriwild", info.parents[1])
    fields = lines[1].split(";")
    info.write_text("\n".join([lines[0], ";".join([fields[0], "", *fields[2:]]), *lines[2:]]))
    with pytest.raises(InputError, match=r"vehicle_info\.txt: camera '' is not a number"):
        load_dataset("veriwild", info.parents[1])
    root = make_dataset("veri")
    (root / "name_query.txt").write_text("0009_no_camera.jpg\n")
    (root / "image_query" / "0009_no_camera.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="the file name must start with identity and camera"):
        load_dataset("veri", root)


def test_a_vehicle_with_a_single_image_is_no_test() -> None:
    table = ImageTable.of([f"{i}.jpg" for i in range(5)], [1, 2, 2, 3, 3], [1, 1, 2, 1, 2])
    train, split = hold_out(table, 0.6, seed=0)
    assert 1 in train.identity
    assert sorted(set(split.query.identity.tolist())) == [2, 3]


@pytest.mark.parametrize(
    "name", ["{identity:04d}_c{camera:03d}_00016450_0.jpg", "{identity:04d}_c{camera}s1_000451_03.jpg"]
)
def test_a_folder_reads_the_camera_of_veri_and_market_names(tmp_path: Path, name: str) -> None:
    for part in ("train", "query", "gallery"):
        for identity in (1, 2, 3):
            for camera in (1, 2):
                file = name.format(identity=identity, camera=camera)
                path = tmp_path / part / f"{identity:04d}" / file
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), np.full((8, 9, 3), 60 * identity, np.uint8))
    dataset = load_dataset("folder", tmp_path)
    assert dataset.query.camera.tolist() == [1, 2] * 3
    assert dataset.query.identity.tolist() == [1, 1, 2, 2, 3, 3]
    assert not dataset.notes


def test_a_folder_keeps_cameras_before_the_underscore(tmp_path: Path) -> None:
    for file in ("c001_0001.jpg", "gate_7.jpg", "0001_c.jpg"):
        (tmp_path / "7").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "7" / file), np.zeros((8, 9, 3), np.uint8))
    assert load_dataset("folder", tmp_path, holdout=0.0).train.cameras == 3


@pytest.mark.parametrize("line", ["0001_c001_00000000_0.jpg", "0001_c001_00000000_0.jpg 3 4 front", "a.jpg 1 -1"])
def test_viewpoints_must_be_numbers(make_dataset: Callable[[str], Path], line: str) -> None:
    root = make_dataset("veri")
    (root / "keypoint_train.txt").write_text(line + "\n")
    with pytest.raises(InputError, match=r"keypoint_train\.txt.*viewpoint"):
        load_dataset("veri", root)


def test_viewpoints_are_read_where_there_are_any(make_dataset: Callable[[str], Path]) -> None:
    root = make_dataset("veri")
    (root / "keypoint_train.txt").write_text("C:\\somewhere\\0001_c001_00000001_0.jpg -1 -1 6\n")
    (root / "keypoint_test.txt").unlink()
    dataset = load_dataset("veri", root)
    names = [Path(path).name for path in dataset.train.path]
    known = {name: view for name, view in zip(names, dataset.train.viewpoint.tolist(), strict=True) if view != -1}
    assert known == {"0001_c001_00000001_0.jpg": 6}
    assert set(dataset.query.viewpoint.tolist()) == {-1}


def _words(root: Path) -> Path:
    """A CSV of two kinds with words for identities, one image from each of two cameras."""
    rows = ["path,identity,camera,split,kind"]
    for number in range(6):
        kind, part = ("car", "bus", "motorcycle")[number % 3], "train" if number < 3 else ""
        for camera in (1, 2):
            name = f"{kind}{number}_c{camera}.jpg"
            Image.new("RGB", (9, 8), (number * 40, 0, 0)).save(root / name)
            rows.append(f"{name},{kind}-{number},{camera},{part or ('query', 'gallery')[camera - 1]},{kind}")
    (root / "data.csv").write_text("\n".join(rows) + "\n")
    return root


def test_csv_rows_can_be_chosen_by_a_column(tmp_path: Path) -> None:
    root = _words(tmp_path)
    chosen = load_dataset("csv", root, where="kind=car|bus")
    assert (len(chosen.train), len(chosen.query), len(chosen.gallery)) == (4, 2, 2)
    assert not any("motorcycle" in path for path in [*chosen.train.path, *chosen.query.path, *chosen.gallery.path])
    with pytest.raises(InputError, match="no column 'kinds'; did you mean kind"):
        load_dataset("csv", root, where="kinds=car")
    with pytest.raises(InputError, match="where=kind=lorry: no row"):
        load_dataset("csv", root, where="kind=lorry")
    with pytest.raises(InputError, match="must be COLUMN=VALUE"):
        load_dataset("csv", root, where="kind")


def test_csv_is_ranked_in_both_directions(tmp_path: Path) -> None:
    there, back = load_dataset("csv", _words(tmp_path), both_directions=True).splits
    assert list(there.query.path) == list(back.gallery.path)
    assert list(there.gallery.path) == list(back.query.path)


def test_csv_viewpoints_are_numbers_or_unknown(tmp_path: Path) -> None:
    data = _words(tmp_path) / "data.csv"
    header, *rows = data.read_text().splitlines()
    views = ["", *map(str, range(len(rows) - 1))]
    data.write_text("\n".join([f"{header},viewpoint", *(f"{r},{v}" for r, v in zip(rows, views, strict=True))]) + "\n")
    dataset = load_dataset("csv", data)
    assert dataset.train.viewpoint.tolist() == [UNKNOWN_VIEWPOINT, 0, 1, 2, 3, 4]
    assert dataset.gallery.viewpoint.tolist() == [6, 8, 10]
    assert load_dataset("csv", data, where="kind=bus").train.viewpoint.tolist() == [1, 2]
    for wrong in ("front", "-1", "1.5", "9" * 30):
        data.write_text(f"{header},viewpoint\n{rows[0]},{wrong}\n")
        with pytest.raises(InputError, match=rf"data\.csv:2: viewpoint is '{wrong}', but must be a whole number"):
            load_dataset("csv", data)


def test_joined_tables_keep_their_vehicles_and_cameras_apart() -> None:
    first = ImageTable.of(["a", "b", "c"], [7, 3, 3], [2, -1, 0])
    second = ImageTable.of(["d", "e"], [0, 3], [0, -1])
    joined = join_tables([first, second, ImageTable.empty()])
    assert list(joined.path) == ["a", "b", "c", "d", "e"]
    assert joined.identities == 4
    assert list(joined.camera == -1) == [False, True, False, False, True]
    assert not set(joined.camera[:3]) & set(joined.camera[3:4])
