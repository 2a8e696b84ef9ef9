"""Each recipe trains, resumes, is evaluated, exported and used for tracking, at a size for a CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtmc.run import main as run_scenario
from reid.checkpoint import load_model, read_tensors
from reid.evaluate import main as evaluate
from reid.export import main as export
from reid.extractor import Extractor
from reid.train import main as train
from reid.train_log import read_log

TINY = {
    "transreid": ["model.backbone=test_vit", "model.transreid.cameras=3", "model.image_size=[64, 64]"],
    "transreid_jigsaw": ["model.backbone=test_vit", "model.image_size=[64, 64]"],
    "gfdia": [
        "model.backbone=resnet18_ibn_quarter",
        "model.gfdia.interest_backbone=resnet18_ibn_quarter",
        "model.image_size=[64, 64]",
    ],
    "hrcn": ["model.backbone=resnet18_ibn_quarter", "model.image_size=[48, 48]", "optimiser.frozen_epochs=0.5"],
}
DIMS = {"transreid": 320, "transreid_jigsaw": 320, "gfdia": 256, "hrcn": 208}
COMMON = [
    "pretrained=none",
    "sampler.identities=2",
    "sampler.images=2",
    "data.workers=0",
    "run.epochs=1",
    "run.steps_per_epoch=4",
    "run.log_every=1",
    "run.device=cpu",
    "run.precision=float32",
    "run.tensorboard=false",
    "data.validation_queries=2",
]


def arguments(configs: Path, method: str, data: Path, output: Path) -> list[str]:
    overrides = [word for setting in (*COMMON, *TINY[method], f"data.root={data}") for word in ("--set", setting)]
    return ["--config", str(configs / f"veri_{method}.yaml"), *overrides, "--output", str(output)]


@pytest.fixture
def configs(repository: Path) -> Path:
    return repository / "configs" / "reid"


@pytest.mark.parametrize("method", ["transreid", "gfdia", "hrcn"])
def test_trains_and_resumes_to_the_same_weights(
    tmp_path: Path, configs: Path, tiny_datasets: Path, method: str
) -> None:
    data = tiny_datasets / "veri"
    assert train([*arguments(configs, method, data, tmp_path / "stopped"), "--until", "2"]) == 0
    assert train(arguments(configs, method, data, tmp_path / "stopped")) == 0
    assert train(arguments(configs, method, data, tmp_path / "whole")) == 0
    stopped, whole = (read_tensors(tmp_path / name / "model.safetensors")[0] for name in ("stopped", "whole"))
    for name, value in whole.items():
        np.testing.assert_array_equal(stopped[name].numpy(), value.numpy(), err_msg=name)
    rows = [row for row in read_log(tmp_path / "whole" / "log.csv") if row["total"]]
    assert len(rows) == 4
    assert all((float(row["auxiliary"]) > 0) == (method == "gfdia") for row in rows)
    model, _ = load_model(tmp_path / "whole" / "model.safetensors")
    assert model.dims == DIMS[method]
    if method == "hrcn":  # steps 1 and 2 are frozen, 3 and 4 are not
        read, _ = read_tensors(tmp_path / "stopped" / "state.safetensors")
        assert int(read["student/encoder.model.backbone.network.bn1.num_batches_tracked"]) == 2


def test_every_command_takes_the_networks(
    tmp_path: Path, configs: Path, tiny_datasets: Path, tiny_scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tiny_datasets / "veri"
    weights = {}
    for method in ("transreid", "gfdia", "hrcn"):
        assert train([*arguments(configs, method, data, tmp_path / method), "--set", "run.steps_per_epoch=1"]) == 0
        weights[method] = tmp_path / method / "model.safetensors"
        words = ["--weights", str(weights[method]), "--device", "cpu", "--threads", "1"]
        assert evaluate([*words, "--dataset", "veri", "--data-root", str(data)]) == 0
        assert "mAP" in capsys.readouterr().out
        assert (
            export(["--weights", str(weights[method]), "--format", "onnx", "--output", str(tmp_path / "n.onnx")]) == 0
        )
    crops = [np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)]
    exported = Extractor.load(tmp_path / "n.onnx", "cpu", precision="float32").embed(crops)
    own = Extractor.load(weights["hrcn"], "cpu", precision="float32", backend="torch").embed(crops)
    np.testing.assert_allclose(exported, own, atol=1e-4)
    command = ["--data-root", str(tiny_scenario), "--scenario", "S01", "--tracks", "tc_ssd512"]
    command += ["--device", "cpu", "--output", str(tmp_path / "tracked"), "--allow-missing-cameras"]
    # One stands for all: the network with embeddings of cameras, which a scenario's cameras are not.
    assert run_scenario([*command, "--reid", str(weights["transreid"])]) == 0
    assert len(list((tmp_path / "tracked").rglob("track1.txt"))) == 1
    assert "mean embedding" in (tmp_path / "tracked" / "run.json").read_text()
