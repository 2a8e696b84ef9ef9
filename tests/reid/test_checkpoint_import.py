"""Checkpoints as fast-reid, TransReID, torchreid, DINO, lightly, timm and compiled models write them."""

import argparse
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from common.errors import InputError
from reid.backbones import build_backbone
from reid.backbones.pretrained import load_pretrained
from reid.extractor import Extractor
from reid.models import ReidModel, normalise
from reid.settings import ModelConfig

QUARTER = ModelConfig(backbone="resnet18_ibn_quarter", image_size=(32, 32))


def under(prefix: str, tensors: dict[str, torch.Tensor]) -> "OrderedDict[str, torch.Tensor]":
    return OrderedDict((prefix + name, value) for name, value in tensors.items())


def random_tensors(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {
        k: torch.rand_like(v) if v.is_floating_point() else v for k, v in build_backbone(QUARTER).state_dict().items()
    }


OURS, OTHER = random_tensors(1), random_tensors(2)
CHECKPOINTS: dict[str, Any] = {
    "strong baseline": under("base.", OURS),
    "fast-reid": {"model": under("backbone.", OURS), "iteration": 7, "optimizer": {"state": {}}},
    "torchreid": {"state_dict": under("module.", OURS), "epoch": 5, "rank1": np.float64(0.9)},
    "numpy array": {"state_dict": OURS, "history": np.arange(3.0)},
    "DINO": {
        "student": under("module.backbone.", OTHER),
        "teacher": under("backbone.", OURS),
        "args": argparse.Namespace(arch="resnet18"),
        "epoch": 9,
    },
    "lightly": {"state_dict": {**under("student_backbone.", OTHER), **under("teacher_backbone.", OURS)}},
    "lightly momentum": {"state_dict": {**under("backbone.", OTHER), **under("backbone_momentum.", OURS)}},
    "timm": {"state_dict": OTHER, "state_dict_ema": OURS, "arch": "resnet18", "args": argparse.Namespace(lr=0.1)},
    "compiled": under("_orig_mod.", OURS),
    "compiled and wrapped": {"model": under("module._orig_mod.backbone.", OURS)},
}


@pytest.mark.parametrize("project", list(CHECKPOINTS))
def test_pretrained_weights_of_other_projects_are_found_teacher_first(tmp_path: Path, project: str) -> None:
    path = tmp_path / "weights.pth"
    torch.save(CHECKPOINTS[project], path)
    target = build_backbone(QUARTER)
    load_pretrained(target, QUARTER.backbone, str(path))
    for name, value in target.state_dict().items():
        assert torch.equal(value, OURS[name]), name


def test_the_old_file_format_loads(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(CHECKPOINTS["torchreid"], path, _use_new_zipfile_serialization=False)
    target = build_backbone(QUARTER)
    load_pretrained(target, QUARTER.backbone, str(path))
    assert torch.equal(target.state_dict()["conv1.weight"], OURS["conv1.weight"])


def test_other_networks_are_refused_with_their_prefixes(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(CHECKPOINTS["DINO"], path)
    expected = r"another network.*begin with .*student\.module\.backbone\. \(\d+\).*teacher\.backbone\. \(\d+\)"
    with pytest.raises(InputError, match=expected):
        load_pretrained(build_backbone(ModelConfig(backbone="resnet18")), "resnet18", str(path))


def transreid(prefix: str) -> dict[str, torch.Tensor]:
    network = build_backbone(ModelConfig(backbone="test_vit", image_size=(96, 96))).network
    neck = {
        "weight": 1 + torch.rand(64),
        "bias": torch.zeros(64),
        "running_mean": torch.rand(64),
        "running_var": torch.ones(64),
    }
    return {**under(f"{prefix}base.", network.state_dict()), **under(f"{prefix}bottleneck.", neck)}


@pytest.mark.parametrize("project", ["fast-reid", "own names", "TransReID", "torchreid"])
def test_a_checkpoint_of_another_project_is_an_extractor(tmp_path: Path, project: str) -> None:
    """The features are those of the network that the file holds, up to their length."""
    torch.manual_seed(0)
    path = tmp_path / "weights.pth"
    options = "size=32"
    model = ReidModel(QUARTER.model_copy(update={"pooling": "gem"} if project == "fast-reid" else {})).eval()
    model.bottleneck.running_mean.uniform_(-0.1, 0.1)
    model.bottleneck.weight.data.uniform_(0.5, 2)
    if project == "fast-reid":
        model.pooling.power.data.fill_(2.5)
        content = {
            **under("backbone.", model.backbone.state_dict()),
            **under("heads.bottleneck.0.", model.bottleneck.state_dict()),
        }
        torch.save({"model": {**content, "heads.pool_layer.p": torch.tensor([2.5])}}, path)
    elif project == "own names":
        torch.save(under("module.", model.state_dict()), path)
    elif project == "torchreid":
        model.bottleneck = torch.nn.BatchNorm1d(model.dims).eval()  # a network without a neck
        torch.save(
            {
                "state_dict": {
                    **under("module.", model.backbone.state_dict()),
                    "module.classifier.weight": torch.zeros(9, 128),
                }
            },
            path,
        )
    else:
        config = ModelConfig(backbone="test_vit", image_size=(96, 96))
        model, options = ReidModel(config).eval(), "backbone=test_vit"
        tensors = transreid("")
        torch.save(tensors, path)
        model.backbone.network.load_state_dict({k[5:]: v for k, v in tensors.items() if k.startswith("base.")})
        model.bottleneck.load_state_dict(
            {k[11:]: v for k, v in tensors.items() if k.startswith("bottleneck.")}, strict=False
        )
    extractor = Extractor.load(f"{path}:{options}", "cpu", precision="float32", backend="torch")
    size = model.config.image_size
    assert (extractor.image_size, extractor.dims) == (size, model.dims)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    with torch.no_grad():
        features = model.embed(normalise(torch.from_numpy(image).permute(2, 0, 1)[None], model.config))[0].numpy()
    np.testing.assert_allclose(
        extractor.embed([image], colour="rgb")[0], features / np.linalg.norm(features), atol=2e-4
    )
    (note,) = extractor.notes
    assert model.config.backbone in note and ("no batch-norm neck" in note) == (project == "torchreid")
    assert note == Extractor.check(f"{path}:{options}")[0]


def test_an_unknown_architecture_names_the_prefixes_and_the_option(tmp_path: Path) -> None:
    path = tmp_path / "osnet.pth"
    torch.save(
        {"state_dict": {"module.conv1.conv.weight": torch.zeros(4, 3, 7, 7), "module.fc.0.weight": torch.zeros(2, 2)}},
        path,
    )
    with pytest.raises(
        InputError,
        match=r"osnet\.pth: its architecture is none of .*begin with state_dict\.module\. \(2\).*backbone=NAME",
    ):
        Extractor.check(path)
    with pytest.raises(InputError, match="another network"):
        Extractor.check(f"{path}:backbone=resnet18")


class _Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code from a weights file ran')",))


def test_hostile_content_beside_the_tensors_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"model": OURS, "callback": _Hostile()}, path)
    target = build_backbone(QUARTER)
    load_pretrained(target, QUARTER.backbone, str(path))
    assert torch.equal(target.state_dict()["conv1.weight"], OURS["conv1.weight"])


@pytest.mark.parametrize("name", ["net.pth", "net.onnx", "net.safetensors", "net.xml"])
def test_damaged_files_are_found_by_the_check(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        Extractor.check(tmp_path / name)
