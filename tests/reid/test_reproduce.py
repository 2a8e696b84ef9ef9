"""Every command of docs/reproduce.md runs, on tiny generated data of the layouts that it names.

A shell expands the document's own loops; what it would start is recorded and then run here, with settings for a network
of a few thousand parameters and one training step laid over it. Commands that differ only in the backbone, the test
size or the run's name are run once, and the others get a copy of its result.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm

from common.command_line import run_command
from evaluation import roundabouthd
from mtmc.run import main as run_scenario
from reid import evaluate, export, pretrain, train
from reid.analyse import __main__ as analyse
from reid.backbones.resnet import RESNETS
from reid.backbones.timm_models import ALIASES

from .scenes import make_scenario

MAINS: dict[str, Callable[[Sequence[str] | None], int]] = {
    "evaluation.roundabouthd": roundabouthd.main,
    "mtmc.run": run_scenario,
    "reid.pretrain": pretrain.main,
    "reid.train": train.main,
    "reid.evaluate": evaluate.main,
    "reid.export": export.main,
    "reid.analyse": analyse.main,
}
TINY = [
    "pretrained=none",
    "model.backbone=resnet18_ibn_quarter",
    "model.image_size=[32, 32]",
    "views.local_size=[16, 16]",
    "sampler.identities=2",
    "sampler.images=2",
    "ssl.outputs=8",
    "ssl.hidden=[8]",
    "ssl.batch_norm=false",
    "data.workers=0",
    "run.epochs=1",
    "run.steps_per_epoch=1",
    "run.log_every=1",
    "run.device=cpu",
    "run.precision=float32",
    "run.tensorboard=false",
]
TINY_PARTS = {
    "auto-encoder": ["auto_encoder.channels=[4, 8]", "auto_encoder.latent=2"],
    "parser": ["parser.encoder=mobilenetv3_small_050", "parser.decoder=[8, 8, 8, 8, 8]"],
}
TINY_METHODS = {
    "transreid": ["backbone=test_vit", "image_size=[64, 64]"],
    "gfdia": ["gfdia.interest_backbone=resnet18_ibn_quarter", "image_size=[64, 64]"],
    "saver": TINY_PARTS["auto-encoder"],
    "pven": TINY_PARTS["parser"],
}
"""Settings of `model`, by recipe."""
TINY_PRETRAINING = [
    "image_size=[32, 32]",
    "batch=2",
    "epochs=1",
    "steps_per_epoch=1",
    "device=cpu",
    "workers=0",
    "threads=1",
]
ARCHITECTURES = {
    # Recipes that a ResNet of a quarter of the width does not fit into, and the settings that they need in its place.
    "veri_transreid.yaml": ["model.backbone=test_vit", "model.image_size=[48, 48]", "model.transreid.cameras=3"],
    "veri_transreid_jigsaw.yaml": ["model.backbone=test_vit", "model.image_size=[48, 48]"],
    "veri_gfdia.yaml": ["model.gfdia.interest_backbone=resnet18_ibn_quarter"],
}
RECORDER = """#!/bin/sh
{ printf '%s\\0' "${0##*/}" "$@"; printf '\\001'; } >> "$RECORD"
"""


def commands_of(document: Path, folder: Path) -> list[list[str]]:
    """The commands that the document's shell blocks start, each as `[module, argument, ...]`, in order."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("python", "torchrun"):
        (tools / name).write_text(RECORDER)
        (tools / name).chmod(0o755)
    blocks = re.findall(r"^```sh\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    record = folder / "record"
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "RECORD": str(record)}
    subprocess.run(["bash", "-eu", "-c", "\n".join(blocks)], cwd=folder, env=environment, check=True)
    words = [entry.split("\0")[:-1] for entry in record.read_text().split("\001")[:-1]]
    return [entry[entry.index("-m") + 1 :] for entry in words]


def make_roundabout(root: Path, subset: Path) -> None:
    """Four cameras in the layout of RoundaboutHD, from the same videos, and its re-id subset."""
    cameras = [f"imagesc00{number}" for number in range(1, 5)]
    make_scenario(root / "cityflow", "source", cameras, truth=True)
    truth = []
    for number, camera in enumerate(cameras, 1):
        source, folder = root / "cityflow" / "validation" / "source" / camera, root / "RoundaboutHD" / camera
        (folder / "SCT").mkdir(parents=True)
        shutil.copy(source / "vdo.avi", folder / "video.avi")
        rows = [list(map(int, row.split(",")[:6])) for row in (source / "gt" / "gt.txt").read_text().splitlines()]
        tracks = [f"{frame - 1} {i} {x} {y} {x + w} {y + h}" for frame, i, x, y, w, h in rows]
        (folder / "SCT" / f"{camera}_SCT_GT.txt").write_text("\n".join(tracks) + "\n")
        with zipfile.ZipFile(folder / "detection.zip", "w") as labels:
            for frame, _, x, y, w, h in rows:
                labels.writestr(f"img{frame - 1:06d}.txt", f"2 {x} {y} {x + w} {y + h}\n")
        (folder / "detection").mkdir()
        (folder / "detection.zip").rename(folder / "detection" / "labels_GT.zip")
        truth += [f"{number} {i} {frame - 1} {x} {y} {w} {h} -1 -1" for frame, i, x, y, w, h in rows]
    (root / "RoundaboutHD" / "Multi_CAM_Ground_Truth.txt").write_text("\n".join(truth) + "\n")
    (root / "RoundaboutHD" / "ReID_subset").symlink_to(subset)


@pytest.fixture
def workspace(tmp_path: Path, repository: Path, tiny_datasets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the repository of a user who has all the data sets."""
    (tmp_path / "configs").symlink_to(repository / "configs")
    data = tmp_path / "data"
    data.mkdir()
    for name in ("veri", "vehicleid", "veriwild"):
        (data / name).symlink_to(tiny_datasets / name)
    (data / "cityflow-reid").symlink_to(tiny_datasets / "cityflow")
    make_scenario(data / "cityflow", "S02", ["c006", "c007", "c008", "c009"], truth=True)
    make_scenario(data / "cityflow", "S06", ["c041", "c042", "c043", "c044", "c045", "c046"], truth=False)
    make_parts(data / "sim-parts", tiny_datasets / "veri" / "image_train")
    make_roundabout(tmp_path / "data", tiny_datasets / "roundabouthd" / "ReID_subset")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_parts(root: Path, images: Path) -> None:
    """The images of a re-id set with masks of their parts."""
    (root / "parts_train").mkdir(parents=True)
    (root / "image_train").symlink_to(images)
    for path in list(images.iterdir())[:4]:
        image = cv2.imread(str(path))
        assert image is not None
        mask = np.full(image.shape[:2], 4, np.uint8)
        assert cv2.imwrite(str(root / "parts_train" / f"{path.stem}.png"), mask)


def value_of(option: str, words: list[str]) -> str:
    return words[words.index(option) + 1]


def kind_of(words: list[str]) -> str:
    """Equal for commands that one run stands for: backbone, start, test size and the folders of runs are left out."""
    text = re.sub(r"model\.backbone=\S+|(--size|--output|--weights) \S+", "", " ".join(words))
    text = re.sub(r"with_(clip|eva02|dinov3|convnextv2)", "with_start", text)
    return text if words[0] in ("reid.train", "reid.evaluate") or words[1] == "hours" else " ".join(words)


def tiny(words: list[str]) -> list[str]:
    """The command with settings for tiny data laid over its own."""
    module, *arguments = words
    if module == "reid.pretrain":
        more = [*TINY_PRETRAINING, *TINY_PARTS[arguments[0]]]
        more += ["pretrained=none"] if arguments[0] == "parser" else []
        return [*arguments, *(word for text in more for word in ("--set", text))]
    own = [text for word in words for text in ARCHITECTURES.get(Path(word).name, [])]
    layers = ["optimiser.layer_decay=1"] if any("with_" in word for word in words) else []  # of timm's networks alone
    settings = [word for text in (*TINY, *own, *layers) for word in ("--set", text)]
    if module == "reid.train":
        method = value_of("--config", words).removeprefix("configs/reid/veri_").removesuffix(".yaml")
        more = [word for text in TINY_METHODS.get(method, []) for word in ("--set", f"model.{text}")]
        return [*arguments, *settings, *more]
    if module == "mtmc.run":
        if "--detector" in arguments:  # a network that would have to be downloaded
            at = arguments.index("--detector")
            arguments[at : at + 2] = ["--detections", "GT"]
        return [*arguments, "--device", "cpu", "--workers", "1"]
    if module == "reid.analyse" and arguments[0] == "sweep":
        # The first two points stand for the others.
        points = [i for i, word in enumerate(arguments) if word == "--point"]
        kept = [word for i, word in enumerate(arguments) if not any(p <= i < p + 3 for p in points[2:])]
        return [*kept, "--seeds", "0", "--device", "cpu", *settings]
    if module == "reid.analyse" and arguments[0] == "hours":
        return [*arguments, *settings]
    if module == "reid.analyse" and arguments[0] == "table5":
        at = arguments.index("--figures")
        arguments = [
            *arguments[: at + 1],
            *(text for text in arguments[at + 1 :] if "=runs" not in text or "EVER" in text),
        ]
        return [*arguments, "--only", "EVER", "--seconds", "0.01", "--device", "cpu", "--threads", "1", *settings]
    if module == "reid.analyse" and arguments[0] == "efficiency":
        return [*arguments, "--seconds", "0.01", "--device", "cpu", "--threads", "1"]
    if module == "reid.evaluate":
        return [*arguments, "--device", "cpu", "--threads", "1"]
    return arguments


def check_settings(words: list[str]) -> None:
    """A command of training that is not run itself still names files, keys and a network that exist."""
    overrides = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    configs = [Path(word) for word in words if word.endswith(".yaml")]
    backbone = train.read_settings(configs, overrides).model.backbone
    assert backbone in RESNETS or timm.is_model(ALIASES.get(backbone, backbone)), backbone


def test_every_command_runs(workspace: Path, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done: dict[str, Path] = {}
    counted: dict[str, int] = {}
    for words in commands_of(repository / "docs" / "reproduce.md", workspace):
        module = words[0]
        counted[module] = counted.get(module, 0) + 1
        output = Path(value_of("--output", words)) if "--output" in words else None
        if module == "reid.train" or words[1] == "hours":
            check_settings(words)
        first = done.get(kind_of(words))
        if first is not None and output is not None:
            copy = shutil.copytree if first.is_dir() else shutil.copy
            output.parent.mkdir(parents=True, exist_ok=True)
            copy(first, output)
            continue
        status = run_command(MAINS[module], tiny(words))
        assert status == 0, (words, capsys.readouterr().err)
        if output is not None:
            assert output.exists(), words
            done[kind_of(words)] = output
    assert counted == {
        "reid.analyse": 13,
        "reid.pretrain": 2,
        "reid.train": 51,
        "reid.evaluate": 89,
        "mtmc.run": 4,
        "reid.export": 2,
        "evaluation.roundabouthd": 1,
    }
    for image in (
        "table5/figure7",
        "efficiency/efficiency",
        "table6/sweep",
        "figure4/veri/distances",
        "figure5/curves",
        "figure6/saliency",
    ):
        assert (workspace / "runs" / f"{image}.png").is_file()
    # two extractors: a submission for each
    assert len(list((workspace / "runs" / "table4" / "S06").rglob("track1.txt"))) == 2
