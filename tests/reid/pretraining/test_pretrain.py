"""`python -m reid.pretrain` on tiny data: it learns, resumes, and refuses wrong input in one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from common.errors import InputError
from reid import pretrain
from reid.auto_encoder.network import load_auto_encoder
from reid.parts.parser import load_parser
from reid.pretraining.parser import part_losses
from reid.tensor_files import read_tensors

TINY = ["device=cpu", "workers=0", "threads=1", "batch=4", "log_every=1"]
TINY_PARSER = [
    *TINY,
    "pretrained=none",
    "parser.encoder=mobilenetv3_small_050",
    "parser.decoder=[8, 8, 8, 8, 8]",
    "image_size=[32, 32]",
    "jitter=0.1",
    "learning_rate=0.01",
    "encoder_factor=1.0",
]
TINY_AUTO_ENCODER = [
    *TINY,
    "auto_encoder.channels=[4, 8, 8]",
    "auto_encoder.latent=4",
    "image_size=[16, 16]",
    "epochs=1",
    "learning_rate=0.01",
]


def run(what: str, config: Path, settings: list[str], output: Path, *more: str) -> int:
    changes = [text for setting in settings for text in ("--set", setting)]
    return pretrain.main([what, "--config", str(config), *changes, "--output", str(output), *more])


@pytest.fixture(scope="module")
def quarters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images whose left half is red (front) and right half blue (side), on grey."""
    root = tmp_path_factory.mktemp("parts")
    random = np.random.default_rng(0)
    for part, count in (("train", 8), ("test", 4)):
        (root / f"image_{part}").mkdir()
        (root / f"parts_{part}").mkdir()
        for number in range(count):
            image = np.full((40, 40, 3), 128, np.uint8)
            mask = np.zeros((40, 40), np.uint8)
            top = int(random.integers(4, 12))
            image[top : top + 24, 4:20], mask[top : top + 24, 4:20] = (0, 0, 255), 1
            image[top : top + 24, 20:36], mask[top : top + 24, 20:36] = (255, 0, 0), 4
            cv2.imwrite(str(root / f"image_{part}" / f"{number}.jpg"), image)
            cv2.imwrite(str(root / f"parts_{part}" / f"{number}.png"), mask)
    return root


def test_a_parser_learns_to_find_parts(repository: Path, quarters: Path, tmp_path: Path) -> None:
    settings = [*TINY_PARSER, f"data.root={quarters}", "epochs=4", "steps_per_epoch=15"]
    assert run("parser", repository / "configs/reid/parser.yaml", settings, tmp_path) == 0
    figures = read_tensors(tmp_path / "model.safetensors")[1]["figures"]
    assert min(figures["front"], figures["side"]) > 0.5
    assert load_parser(tmp_path / "model.safetensors").config.encoder == "mobilenetv3_small_050"


def test_a_stopped_auto_encoder_resumes_exactly(repository: Path, tiny_datasets: Path, tmp_path: Path) -> None:
    config = repository / "configs/reid/auto_encoder.yaml"
    settings = [*TINY_AUTO_ENCODER, f"data.root={tiny_datasets / 'veri'}", "steps_per_epoch=6"]
    run("auto-encoder", config, settings, tmp_path / "whole")
    run("auto-encoder", config, settings, tmp_path / "parts", "--until", "3")
    run("auto-encoder", config, settings, tmp_path / "parts")
    whole, parts = (load_auto_encoder(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_an_auto_encoder_learns_to_reconstruct(repository: Path, tiny_datasets: Path, tmp_path: Path) -> None:
    config = repository / "configs/reid/auto_encoder.yaml"
    settings = [*TINY_AUTO_ENCODER, f"data.root={tiny_datasets / 'veri'}", "steps_per_epoch=80"]
    run("auto-encoder", config, settings, tmp_path)
    images = 0.6 * torch.ones(2, 3, 16, 16)
    network = load_auto_encoder(tmp_path / "model.safetensors").eval()
    with torch.no_grad():
        assert (network(images).images - images).square().mean() < 0.1


def test_losses_of_a_parser_are_their_definitions() -> None:
    logits = torch.tensor([[[[2.0]], [[-1.0]], [[0.0]], [[0.5]], [[-3.0]]]])
    entropy, dice = part_losses(logits, torch.tensor([[[1]]]))
    p = [1 / (1 + np.exp(-x)) for x in (2.0, -1.0, 0.0, 0.5, -3.0)]
    t = [0, 1, 0, 0, 0]
    expected = -np.mean([np.log(q if y else 1 - q) for q, y in zip(p, t, strict=True)])
    assert float(entropy) == pytest.approx(expected, rel=1e-5)
    expected = np.mean([1 - (2 * q * y + 1) / (q + y + 1) for q, y in zip(p, t, strict=True)])
    assert float(dice) == pytest.approx(expected, rel=1e-5)


def test_missing_masks_are_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mtmc\.simulate --reid --parts"):
        run("parser", repository / "configs/reid/parser.yaml", [*TINY_PARSER, f"data.root={tmp_path}"], tmp_path / "r")


def test_a_file_of_another_kind_is_refused(repository: Path, tiny_datasets: Path, tmp_path: Path) -> None:
    config = repository / "configs/reid/auto_encoder.yaml"
    settings = [*TINY_AUTO_ENCODER, f"data.root={tiny_datasets / 'veri'}", "steps_per_epoch=1"]
    run("auto-encoder", config, settings, tmp_path)
    with pytest.raises(InputError, match="not a parser"):
        load_parser(tmp_path / "model.safetensors")
