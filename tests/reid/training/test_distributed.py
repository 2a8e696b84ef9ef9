import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from reid.datasets import ImageTable
from reid.tensor_files import read_tensors
from reid.train import main
from reid.train_log import read_log

WriteImages = Callable[..., ImageTable]


def _torchrun(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def config(tmp_path: Path, tiny_settings: Callable[..., object]) -> Path:
    """SSBVER on a small vision transformer: no batch norm in the backbone, whose statistics are a process's own."""
    settings = tiny_settings(
        model={"backbone": "test_vit", "image_size": [96, 96]},
        views={"local": 1, "local_size": [48, 48]},
        data={"name": "folder", "workers": 0, "options": {"holdout": 0}},
        ssl={"hidden": [16], "outputs": 24},
    )
    path = tmp_path / "config.yaml"
    content = settings.model_dump(mode="json")
    content["run"].update(epochs=1, device="cpu", threads=1)
    path.write_text(yaml.safe_dump(content))
    return path


def _folder(root: Path, write_images: WriteImages, images: int = 4) -> Path:
    table = write_images(root, images=images)
    for path, identity in zip(table.path, table.identity, strict=True):
        target = root / str(identity) / f"1_{Path(path).name}"
        target.parent.mkdir(exist_ok=True)
        Path(path).rename(target)
    return root


def test_two_processes_compute_what_one_does(tmp_path: Path, config: Path, write_images: WriteImages) -> None:
    root = _folder(tmp_path / "data", write_images)
    for image in sorted((root / "0").iterdir())[:3]:
        image.write_bytes(b"no image")
    assert main(["--config", str(config), "--output", str(tmp_path / "one"), "--set", f"data.root={root}"]) == 0
    script = Path(__file__).with_name("train_by_rank.py")
    done = _torchrun(script, str(config), str(tmp_path / "two"), str(root))
    assert done.returncode == 0, done.stderr
    logs = [read_log(tmp_path / name / "log.csv") for name in ("one", "two")]
    assert len(logs[0]) == len(logs[1]) == 4
    for alone, shared in zip(*logs, strict=True):
        for loss in ("total", "classification", "triplet", "self_supervision", "teacher_entropy", "gradient_norm"):
            assert float(shared[loss]) == pytest.approx(float(alone[loss]), rel=2e-3, abs=1e-4), (loss, alone["step"])
    counts = [json.loads((tmp_path / n / "model.json").read_text())["data"]["unreadable"] for n in ("one", "two")]
    assert 1 <= counts[0] == counts[1] <= 3
    # Tensors whose gradient is not zero in exact arithmetic: Adam makes steps of the others out of rounding errors.
    weights = [read_tensors(tmp_path / name / "state.safetensors")[0] for name in ("one", "two")]
    for name in ("student/classifier.weight", "teacher/model.bottleneck.running_mean", "objective/distillation.center"):
        torch.testing.assert_close(weights[1][name], weights[0][name], rtol=1e-2, atol=1e-4, msg=name)


def test_processes_with_different_data_are_refused(tmp_path: Path, config: Path, write_images: WriteImages) -> None:
    roots = [_folder(tmp_path / f"data{n}", write_images, images=4 + n) for n in range(2)]
    done = _torchrun(Path(__file__).with_name("train_by_rank.py"), str(config), str(tmp_path / "run"), *map(str, roots))
    assert done.returncode != 0
    assert "data.root: processes 1 read different data than process 0" in done.stderr
