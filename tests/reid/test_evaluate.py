"""mAP and CMC follow each data set's protocol, and the command prints them plain and re-ranked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import InputError
from reid.checkpoint import save_model
from reid.datasets import Dataset, ImageTable, Split, load_dataset
from reid.evaluate import evaluate_model, evaluate_vectors, labels_of_tests, main, paths_of_tests
from reid.models import ReidModel
from reid.settings import ModelConfig
from reid.training.validation import Validation


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, ReidModel(ModelConfig(backbone="resnet18_ibn_quarter", image_size=(32, 32))).eval(), {})
    return path


def brute_force_map(dataset: Dataset, vectors: np.ndarray) -> float:
    """The definition, one query at a time, averaged over splits."""
    row = {path: i for i, path in enumerate(paths_of_tests(dataset))}
    split_means = []
    for split in dataset.splits:
        precisions = []
        for path, identity, camera in zip(split.query.path, split.query.identity, split.query.camera, strict=True):
            junk = (split.gallery.identity == identity) & (split.gallery.camera == camera) & (camera != -1)
            keep = np.flatnonzero(~junk & (split.gallery.path != path))
            similarity = [vectors[row[path]] @ vectors[row[split.gallery.path[g]]] for g in keep]
            hits = (split.gallery.identity[keep] == identity)[np.argsort(-np.array(similarity), kind="stable")]
            if hits.any():
                ranks = np.flatnonzero(hits) + 1
                precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
        split_means.append(np.mean(precisions))
    return float(np.mean(split_means))


@pytest.mark.parametrize("name", ["veri", "vehicleid", "veriwild", "cityflow", "vric", "roundabouthd", "folder"])
def test_the_figures_are_those_of_the_definition(tiny_datasets: Path, name: str) -> None:
    dataset = load_dataset(name, tiny_datasets / name)
    random = np.random.default_rng(0)
    vectors = random.normal(size=(len(paths_of_tests(dataset)), 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    result = evaluate_vectors(dataset, vectors, rerank=True)
    assert result.plain.mean_average_precision[0] == pytest.approx(brute_force_map(dataset, vectors), abs=1e-6)
    assert (result.plain.mean_average_precision[1] > 0) == (name == "vehicleid")
    assert result.plain.cmc[1][0] <= result.plain.cmc[5][0] <= result.plain.cmc[10][0]
    assert result.reranked is not None


def test_labels_belong_to_the_files_in_their_order(tiny_datasets: Path) -> None:
    dataset = load_dataset("veri", tiny_datasets / "veri")
    paths, labels = paths_of_tests(dataset), labels_of_tests(dataset)
    assert labels.camera.tolist() == [int(Path(path).name[6:9]) for path in paths]
    listed = [Path(path).name for path in (tiny_datasets / "veri" / "name_test.txt").read_text().split()]
    views = {name: row % 8 for row, name in enumerate(listed) if row}  # the first has no line
    assert labels.viewpoint.tolist() == [views.get(Path(path).name, -1) for path in paths]


def test_perfect_vectors_reach_one_and_unreadable_rows_do_not_count() -> None:
    query = ImageTable.of(["a", "b", "c"], [1, 2, 3], [1, 1, 1])
    gallery = ImageTable.of(["a", "d", "e", "f"], [1, 1, 2, 9], [1, 2, 2, 2])
    dataset = Dataset("tiny", ImageTable.empty(), (Split(query, gallery),))
    axis = {1: 0, 2: 1, 3: 2, 9: 3}
    identities = [1, 2, 3, 1, 2, 9]  # of a, b, c, d, e, f: queries first, each file once
    assert paths_of_tests(dataset) == ["a", "b", "c", "d", "e", "f"]
    vectors = np.eye(4, dtype=np.float32)[[axis[i] for i in identities]]
    result = evaluate_vectors(dataset, vectors)
    assert result.plain.mean_average_precision == (1.0, 0.0)
    assert (result.queries, result.gallery, result.without_match) == (2, 4, 1)
    without_d = evaluate_vectors(dataset, vectors, np.array([True, True, True, False, True, True]))
    assert (without_d.queries, without_d.gallery, without_d.without_match) == (1, 3, 2)
    with pytest.raises(InputError, match="none of its 6 test images"):
        evaluate_vectors(dataset, vectors, np.zeros(6, bool))
    with pytest.raises(InputError, match="no test images"):
        paths_of_tests(Dataset("tiny", query, ()))


def test_no_figures_without_a_query_that_has_a_match() -> None:
    query, gallery = ImageTable.of(["a", "b"], [1, 2], [1, 1]), ImageTable.of(["c", "d"], [1, 2], [1, 1])
    dataset = Dataset("tiny", ImageTable.empty(), (Split(query, gallery),))
    with pytest.raises(InputError, match=r"tiny: none of its 2 queries has a match in the gallery"):
        evaluate_vectors(dataset, np.eye(4, dtype=np.float32))
    with pytest.raises(InputError, match="no query has a match"):
        Validation(dataset.splits[0])


def test_a_model_is_evaluated_as_its_checkpoint_is(tiny_datasets: Path, checkpoint: Path, tmp_path: Path) -> None:
    from reid.checkpoint import load_model

    model, _ = load_model(checkpoint)
    dataset = load_dataset("veri", tiny_datasets / "veri")
    in_memory = evaluate_model(model, dataset, precision="float32")
    arguments = ["--dataset", "veri", "--data-root", str(tiny_datasets / "veri"), "--device", "cpu"]
    output = tmp_path / "figures.json"
    main(["--weights", str(checkpoint), *arguments, "--precision", "float32", "--output", str(output)])
    assert json.loads(output.read_text())["plain"] == in_memory.plain.as_dict()


def test_the_command_prints_both_side_by_side_or_json(
    tiny_datasets: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--weights",
        str(checkpoint),
        "--dataset",
        "vehicleid",
        "--data-root",
        str(tiny_datasets / "vehicleid"),
    ]
    assert main([*arguments, "--rerank", "--expand", "--size", "medium", "--option", "draws=3"]) == 0
    printed = capsys.readouterr()
    assert "vehicleid-medium: 20 queries, 4 gallery images" in printed.out
    assert "plain" in printed.out and "re-ranked" in printed.out and "CMC@10" in printed.out and "±" in printed.out
    assert "instead of the published" in printed.err
    main([*arguments, "--json"])
    content = json.loads(capsys.readouterr().out)
    assert set(content["plain"]) >= {"mAP", "mAP_std", "cmc1", "cmc5", "cmc10"}
    assert content["reranked"] is None


def test_damaged_images_are_named_and_counted(
    make_dataset: Callable[[str], Path], checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_dataset("veri")
    victim = sorted((root / "image_query").iterdir())[0]
    victim.write_bytes(b"\xff\xd8 no image")
    main(["--weights", str(checkpoint), "--dataset", "veri", "--data-root", str(root), "--json"])
    printed = capsys.readouterr()
    content = json.loads(printed.out)
    assert len(content["unreadable"]) == 1 and victim.name in content["unreadable"][0]
    assert content["queries"] == 11
    assert "1 images could not be read" in printed.err


def test_mistakes_are_told(tiny_datasets: Path, checkpoint: Path) -> None:
    data = ["--dataset", "veri", "--data-root", str(tiny_datasets / "veri")]
    with pytest.raises(InputError, match="no option 'holdout'"):
        main(["--weights", str(checkpoint), *data, "--option", "holdout=0.2"])
    with pytest.raises(InputError, match="must be key=value"):
        main(["--weights", str(checkpoint), *data, "--option", "holdout"])
    with pytest.raises(InputError, match="not valid YAML"):
        main(["--weights", str(checkpoint), *data, "--option", "holdout=[1"])
    with pytest.raises(InputError, match="threads must be at least 0"):
        main(["--weights", str(checkpoint), *data, "--threads", "-1"])
    with pytest.raises(InputError, match="device 'meta' is unknown"):
        main(["--weights", str(checkpoint), *data, "--device", "meta"])
    with pytest.raises(InputError, match="not veri as published"):
        main(["--weights", str(checkpoint), *data, "--strict"])


def test_intervals_hold_the_figure_and_are_repeatable(
    tiny_datasets: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = load_dataset("vehicleid", tiny_datasets / "vehicleid")
    vectors = np.random.default_rng(0).normal(size=(len(paths_of_tests(dataset)), 6)).astype(np.float32)
    result = evaluate_vectors(dataset, vectors, bootstrap=300)
    assert result.intervals == evaluate_vectors(dataset, vectors, bootstrap=300).intervals
    for name, figure in result.plain.as_dict().items():
        if not name.endswith("_std"):
            low, high = result.intervals[name]
            assert low <= figure <= high, name
    data = ["--dataset", "veri", "--data-root", str(tiny_datasets / "veri")]
    assert main(["--weights", str(checkpoint), *data, "--bootstrap", "50"]) == 0
    assert "95 % interval" in capsys.readouterr().out
    with pytest.raises(InputError, match="--bootstrap -1"):
        main(["--weights", str(checkpoint), *data, "--bootstrap", "-1"])
