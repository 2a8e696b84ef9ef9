"""Each analysis gives the numbers of its definition, and its command leaves PNG and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from common.errors import InputError
from reid.analyse.__main__ import main
from reid.analyse.budget import forward_flop, training_budget
from reid.analyse.curves import smooth
from reid.analyse.distances import distance_means, pair_distances
from reid.analyse.efficiency import PUBLISHED, with_accuracy
from reid.analyse.results import short_names
from reid.analyse.saliency import pair_saliency
from reid.analyse.sweep import Variation, run_sweep
from reid.checkpoint import load_model, save_model
from reid.datasets import ImageTable, Split
from reid.models import ReidModel
from reid.settings import DataSettings, LossSettings, ModelConfig, TrainSettings
from reid.train_log import TrainLog


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("weights")
    for seed, name in enumerate(("baseline", "ssbver")):
        torch.manual_seed(seed)
        config = ModelConfig(backbone="resnet18_ibn_quarter", image_size=(32, 40))
        save_model(folder / f"{name}.safetensors", ReidModel(config).eval(), {})
    return [folder / "baseline.safetensors", folder / "ssbver.safetensors"]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def assert_image(path: Path) -> None:
    image = cv2.imread(str(path))
    assert image is not None and image.std() > 1


def test_distances_are_those_of_all_pairs_but_junk() -> None:
    random = np.random.default_rng(0)
    query = ImageTable.of([f"q{i}" for i in range(20)], random.integers(0, 6, 20), random.integers(1, 4, 20))
    gallery = ImageTable.of([f"g{i}" for i in range(50)], random.integers(0, 6, 50), random.integers(1, 4, 50))
    vectors = random.normal(size=(70, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = pair_distances(vectors[:20], vectors[20:], Split(query, gallery), chunk_bytes=3000)
    positive, negative = [], []
    for q in range(20):
        for g in range(50):
            distance = float(np.linalg.norm(vectors[q] - vectors[20 + g]))
            if query.identity[q] != gallery.identity[g]:
                negative.append(distance)
            elif query.camera[q] != gallery.camera[g]:
                positive.append(distance)
    assert (found.positive.sum(), found.negative.sum()) == (len(positive), len(negative))
    assert found.positive_mean == pytest.approx(np.mean(positive), abs=1e-5)
    assert found.negative_mean == pytest.approx(np.mean(negative), abs=1e-5)
    rows = distance_means(["a", "b"], [found, found])
    assert rows[1]["positive_change_percent"] == 0
    with pytest.raises(InputError, match="no pair"):
        pair_distances(vectors[:1], vectors[:1], Split(query[:1], query[:1]))


def test_distances_command(tiny_datasets: Path, weights: list[Path], tmp_path: Path) -> None:
    names = [str(path) for path in weights]
    data = ["--dataset", "veri", "--data-root", str(tiny_datasets / "veri")]
    assert main(["distances", "--weights", *names, *data, "--device", "cpu", "--output", str(tmp_path)]) == 0
    assert_image(tmp_path / "distances.png")
    means = read_csv(tmp_path / "distance_means.csv")
    assert [row["weights"] for row in means] == ["baseline", "ssbver"]
    expected = 100 * (float(means[1]["positive_mean"]) / float(means[0]["positive_mean"]) - 1)
    assert float(means[1]["positive_change_percent"]) == pytest.approx(expected, abs=0.01)
    shares = read_csv(tmp_path / "distances.csv")
    assert sum(float(row["positive"]) for row in shares if row["weights"] == "ssbver") == pytest.approx(1, abs=1e-4)


def test_saliency_is_the_gradient_of_the_similarity(weights: list[Path]) -> None:
    model, config = load_model(weights[0])
    model.double()
    random = np.random.default_rng(0)
    query, gallery = random.integers(40, 200, (2, *config.image_size, 3), np.uint8)
    # float64 keeps differences of one grey level meaningful
    with torch.no_grad():

        def similarity(image: np.ndarray) -> float:
            pair = torch.from_numpy(np.stack([image, gallery.astype(np.float64)])).permute(0, 3, 1, 2)
            mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) * 255 for v in (config.mean, config.std))
            features = model.bottleneck(model.pooling(model.backbone((pair - mean) / std)))
            a, b = torch.nn.functional.normalize(features, dim=1)
            return float(a @ b)

        row, column = 11, 17
        slopes = []
        for channel in range(3):
            up, down = query.astype(np.float64), query.astype(np.float64)
            up[row, column, channel] += 1e-3
            down[row, column, channel] -= 1e-3
            slopes.append(abs(similarity(up) - similarity(down)) / 2e-3)
    found = pair_saliency(model.float(), query, gallery)
    assert found.query.shape == found.gallery.shape == config.image_size
    assert found.query[row, column] == pytest.approx(max(slopes), rel=0.02, abs=1e-8)


def test_saliency_command_shows_two_models(tiny_datasets: Path, weights: list[Path], tmp_path: Path) -> None:
    images = sorted((tiny_datasets / "veri" / "image_query").iterdir())
    pair = ["--query", str(images[0]), "--gallery", str(images[1])]
    names = [str(path) for path in weights]
    assert main(["saliency", "--weights", *names, *pair, "--device", "cpu", "--output", str(tmp_path)]) == 0
    assert_image(tmp_path / "saliency.png")
    assert len(read_csv(tmp_path / "saliency.csv")) == 2 * 2 * 32 * 40
    assert [row["weights"] for row in read_csv(tmp_path / "similarity.csv")] == ["baseline", "ssbver"]
    with pytest.raises(InputError, match="are identical"):
        main(["saliency", "--weights", names[0], *pair[:3], pair[1], "--output", str(tmp_path)])
    with pytest.raises(InputError, match=r"absent\.jpg"):
        main(["saliency", "--weights", names[0], "--query", "absent.jpg", *pair[2:], "--output", str(tmp_path)])


def test_curves_command_reads_training_logs(tmp_path: Path) -> None:
    for name, own in (("baseline", 0.0), ("ssbver", 6.0)):
        with TrainLog(tmp_path / name, tensorboard=False) as log:
            for step in range(1, 21):
                losses = {"classification": 5 / step, "triplet": 1 / step, "self_supervision": own}
                log.write(step, {"epoch": step / 10, **losses})
            log.write(20, {"epoch": 2.0, "mAP": 0.5})
    runs = [str(tmp_path / "baseline"), str(tmp_path / "ssbver")]
    assert main(["curves", "--runs", *runs, "--smooth", "5", "--output", str(tmp_path / "out")]) == 0
    assert_image(tmp_path / "out" / "curves.png")
    rows = read_csv(tmp_path / "out" / "curves.csv")
    assert len(rows) == 40
    assert float(rows[1]["classification"]) == 2.5
    with pytest.raises(InputError, match="--smooth 0: must be at least 1"):
        main(["curves", "--runs", *runs, "--smooth", "0", "--output", str(tmp_path)])
    with pytest.raises(InputError, match="log not found"):
        main(["curves", "--runs", str(tmp_path / "nowhere"), "--output", str(tmp_path)])
    (tmp_path / "log.csv").write_text("step,epoch\n1,0.1\n")
    with pytest.raises(InputError, match="contains no losses"):
        main(["curves", "--runs", str(tmp_path), "--output", str(tmp_path)])


def test_smoothing_is_a_trailing_mean() -> None:
    assert smooth(np.array([1.0, 2, 3, 4]), 2).tolist() == [1, 1.5, 2.5, 3.5]


def test_efficiency_measures_a_network_in_a_process_of_its_own(weights: list[Path], tmp_path: Path) -> None:
    figures = figures_file(tmp_path / "figures.json", 0.61)
    arguments = ["--weights", str(weights[0]), "--device", "cpu", "--precision", "float32", "--threads", "1"]
    arguments += ["--seconds", "0.05", "--figures", f"baseline={figures}", "--published", "--output", str(tmp_path)]
    assert main(["efficiency", *arguments]) == 0
    assert_image(tmp_path / "efficiency.png")
    rows = read_csv(tmp_path / "efficiency.csv")
    assert [row["method"] for row in rows] == ["baseline", *(cost.method for cost in PUBLISHED)]
    measured = rows[0]
    assert measured["source"] == "CPU, 1 threads, float32"
    assert int(measured["dims"]) == 128
    parameters = sum(p.numel() for p in load_model(weights[0])[0].parameters()) / 1e6
    assert float(measured["parameters"]) == pytest.approx(parameters, rel=1e-4)
    assert float(measured["ms_batch1"]) > 0 and float(measured["ms_batch32"]) > 0
    assert 0 < float(measured["memory_mb_batch1"]) <= float(measured["memory_mb_batch32"]) < 1000
    assert float(measured["mAP"]) == pytest.approx(61)
    assert rows[7]["source"].startswith("paper")


def test_efficiency_mistakes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no network of that name"):
        with_accuracy(PUBLISHED, {"other": ("veri", 0.5)})
    with pytest.raises(InputError, match="nothing to measure"):
        main(["efficiency", "--output", str(tmp_path)])
    with pytest.raises(InputError, match=r"efficiency: key 'image_size\.0'"):
        main(["efficiency", "--backbone", "resnet18", "--image-size", "0", "9", "--output", str(tmp_path)])
    with pytest.raises(InputError, match="neither a file nor the name"):
        main(["efficiency", "--weights", "nothing", "--device", "cpu", "--output", str(tmp_path)])


def figures_file(path: Path, mean_ap: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"dataset": "veri", "plain": {"mAP": mean_ap, "cmc1": 0.9, "cmc5": 0.95, "cmc10": 1.0}}))
    return path


def test_sweep_collects_seeds_into_means(tmp_path: Path) -> None:
    results = []
    for label in ("0", "2", "1"):
        files = [figures_file(tmp_path / f"{label}-{seed}.json", 0.5 + int(label) / 10 + seed / 100) for seed in (0, 1)]
        results += ["--results", label, *map(str, files)]
    assert main(["sweep", *results, "--title", "local views L", "--output", str(tmp_path)]) == 0
    assert_image(tmp_path / "sweep.png")
    rows = read_csv(tmp_path / "sweep.csv")
    assert [row["label"] for row in rows] == ["0", "2", "1"]
    assert float(rows[1]["mAP"]) == pytest.approx(70.5)
    assert float(rows[1]["mAP_std"]) == pytest.approx(100 * np.std([0.7, 0.71], ddof=1), rel=1e-3)


def test_sweep_takes_words_too_and_names_wrong_files(tmp_path: Path) -> None:
    a, b = figures_file(tmp_path / "a.json", 0.80), figures_file(tmp_path / "b.json", 0.82)
    results = ["--results", "RMSE", str(a), "--results", "cross entropy", str(b)]
    assert main(["sweep", *results, "--output", str(tmp_path)]) == 0
    assert_image(tmp_path / "sweep.png")
    (tmp_path / "bad.json").write_text('{"dataset": "veri", "plain": {"mAP": 1}}')
    for name, said in (("bad.json", "lacks cmc1"), ("absent.json", "no such file")):
        with pytest.raises(InputError, match=said):
            main(["sweep", "--results", "x", str(tmp_path / name), "--output", str(tmp_path)])
    with pytest.raises(InputError, match="no points"):
        main(["sweep", "--output", str(tmp_path)])
    with pytest.raises(InputError, match="needs --config"):
        main(["sweep", "--point", "1", "views.local=1", "--output", str(tmp_path)])


def test_a_stopped_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    trained: list[str] = []

    def train(settings: Sequence[str], folder: Path) -> Path:
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append(" ".join(settings))
        return folder / "model.safetensors"

    def evaluate(weights: Path, result: Path) -> None:
        figures_file(result, 0.5)

    variations = [Variation("0", ("loss.self_supervision=0",)), Variation("1", ("views.local=1",))]
    with pytest.raises(KeyboardInterrupt):
        run_sweep(variations, [0, 1], tmp_path, train, evaluate)
    first = list(trained)
    trained.clear()
    points = run_sweep(variations, [0, 1], tmp_path, train, evaluate)
    assert first == [
        "loss.self_supervision=0 run.seed=0",
        "loss.self_supervision=0 run.seed=1",
        "views.local=1 run.seed=0",
    ]
    assert trained == ["views.local=1 run.seed=1"]
    assert [len(point.results) for point in points] == [2, 2]
    with pytest.raises(InputError, match="must be unique"):
        run_sweep([*variations, variations[0]], [0], tmp_path, train, evaluate)


def test_the_operations_of_a_network_are_those_that_are_known() -> None:
    # torchvision publishes 4.09 GMAC for ResNet-50 at 224 x 224 with its classifier's 0.002
    plain = ModelConfig(backbone="resnet50", last_stride=2)
    assert forward_flop(plain, (224, 224)) / 2e9 == pytest.approx(4.09, abs=0.01)
    config = ModelConfig(backbone="resnet18_ibn_quarter", pooling="gem", image_size=(64, 64))
    settings = TrainSettings(model=config)
    whole, part = forward_flop(settings.model, (64, 64)) / 1e9, forward_flop(settings.model, (112, 112)) / 1e9
    budget = training_budget(settings, 1280)
    assert budget.image_gflop == pytest.approx(2 * 3 * whole + 2 * whole + 4 * 3 * part)
    assert budget.steps == 120 * 10
    assert budget.total_pflop == pytest.approx(budget.image_gflop * 128 * 1200 / 1e6)
    assert budget.hours(100, 0.5) == pytest.approx(budget.total_pflop * 1000 / 50 / 3600)
    baseline = settings.model_copy(update={"loss": LossSettings(self_supervision=0)})
    assert training_budget(baseline).image_gflop == pytest.approx(6 * whole)
    with pytest.raises(InputError, match="give --images"):
        training_budget(settings.model_copy(update={"data": DataSettings(name="folder")}))


def test_hours_need_a_speed(repository: Path, tmp_path: Path) -> None:
    config = str(repository / "configs" / "reid" / "sim_small_baseline.yaml")
    with pytest.raises(InputError, match="must be above 0"):
        main(["hours", "--config", config, "--peak-tflops", "0", "--output", str(tmp_path)])


def test_names_in_legends_are_short_and_different(tmp_path: Path) -> None:
    assert short_names(["weights/baseline.safetensors", "ssbver"]) == ["baseline", "ssbver"]
    assert short_names(["runs/a/model.safetensors", "runs/b/model.safetensors"]) == ["a", "b"]
    assert short_names(["a/last.onnx", "b/last.onnx"]) == ["a/last.onnx", "b/last.onnx"]
    with pytest.raises(InputError, match="same name"):
        short_names(["a/model.safetensors", "a/model.safetensors"])
