"""The recipes of SAVER, EVER and PVEN, made small, train and resume exactly; all commands take what they give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import InputError
from mtmc.run import main as run_scenario
from reid import evaluate, export, pretrain, train
from reid.analyse import __main__ as analyse
from reid.architectures import ARCHITECTURES
from reid.checkpoint import load_model
from reid.extractor import Extractor

SMALL = [
    "pretrained=none",
    "model.backbone=resnet18_ibn_quarter",
    "model.image_size=[32, 32]",
    "sampler.identities=4",
    "sampler.images=2",
    "data.workers=0",
    "run.epochs=2",
    "run.steps_per_epoch=1",
    "run.log_every=1",
    "run.device=cpu",
    "run.precision=float32",
    "run.tensorboard=false",
    "run.threads=1",
]
SMALL_AUTO_ENCODER = ["auto_encoder.channels=[4, 8]", "auto_encoder.latent=2"]
SMALL_PARSER = ["parser.encoder=mobilenetv3_small_050", "parser.decoder=[8, 8, 8, 8, 8]"]
PART = ["device=cpu", "workers=0", "threads=1", "batch=2", "epochs=1", "steps_per_epoch=1", "image_size=[32, 32]"]
RECIPES = ("saver", "ever", "pven")


def sets(settings: list[str]) -> list[str]:
    return [text for setting in settings for text in ("--set", setting)]


@pytest.fixture(scope="module")
def parts(repository: Path, tiny_datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `auto_encoder` and `parser`, both trained for one step."""
    folder = tmp_path_factory.mktemp("parts")
    veri = tiny_datasets / "veri"
    settings = [*PART, *SMALL_AUTO_ENCODER, f"data.root={veri}"]
    config = str(repository / "configs/reid/auto_encoder.yaml")
    pretrain.main(["auto-encoder", "--config", config, *sets(settings), "--output", str(folder / "auto_encoder")])
    name = sorted((veri / "image_train").iterdir())[0].name
    (folder / "polygons.json").write_text(
        f'[{{"image": "{name}", "polygons": [{{"part": "side", "points": [[0, 0], [1, 0], [1, 1]]}}]}}]'
    )
    settings = [*PART, *SMALL_PARSER, "pretrained=none", f"data.root={veri}"]
    settings.append(f"data.polygons={folder / 'polygons.json'}")
    config = str(repository / "configs/reid/parser.yaml")
    pretrain.main(["parser", "--config", config, *sets(settings), "--output", str(folder / "parser")])
    return folder


def command(recipe: str, repository: Path, data: Path, parts: Path, output: Path) -> list[str]:
    part = parts / ("parser" if recipe == "pven" else "auto_encoder") / "model.safetensors"
    settings = [*SMALL, f"data.root={data / 'veri'}", f"pretrained_part={part}"]
    settings += [f"model.{setting}" for setting in (SMALL_PARSER if recipe == "pven" else SMALL_AUTO_ENCODER)]
    config = str(repository / "configs/reid" / f"veri_{recipe}.yaml")
    return ["--config", config, *sets(settings), "--output", str(output)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_resumes_and_is_used(
    recipe: str, repository: Path, tiny_datasets: Path, parts: Path, tmp_path: Path
) -> None:
    assert train.main(command(recipe, repository, tiny_datasets, parts, tmp_path / "whole")) == 0
    again = command(recipe, repository, tiny_datasets, parts, tmp_path / "stopped")
    train.main([*again, "--until", "1"])
    train.main(again)
    whole, config = load_model(tmp_path / "whole" / "model.safetensors")
    stopped, _ = load_model(tmp_path / "stopped" / "model.safetensors")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, stopped.state_dict()[name]), name
    assert config.architecture == ("plain" if recipe == "ever" else recipe)

    weights = str(tmp_path / "whole" / "model.safetensors")
    assert export.main(["--weights", weights, "--format", "onnx", "--output", str(tmp_path / "net.onnx")]) == 0
    results = []
    for network in (weights, str(tmp_path / "net.onnx")):
        result = tmp_path / "figures.json"
        data = ["--dataset", "veri", "--data-root", str(tiny_datasets / "veri")]
        evaluate.main(["--weights", network, *data, "--precision", "float32", "--output", str(result)])
        results.append(result.read_text().partition('"plain"')[2])
    assert results[0] == results[1]
    vectors = Extractor.load(weights).embed([np.full((20, 30, 3), 90, np.uint8)])
    assert np.linalg.norm(vectors) == pytest.approx(1.0, rel=1e-3)


def test_pven_tracks_by_an_approximation_which_the_run_says(
    repository: Path,
    tiny_datasets: Path,
    tiny_scenario: Path,
    parts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train.main([*command("pven", repository, tiny_datasets, parts, tmp_path / "net"), "--until", "1"])
    words = ["--data-root", str(tiny_scenario), "--scenario", "S01", "--tracks", "tc_ssd512", "--device", "cpu"]
    weights = str(tmp_path / "net" / "model.safetensors")
    words += ["--allow-missing-cameras", "--reid", weights, "--output", str(tmp_path / "tracked")]
    assert run_scenario(words) == 0
    assert len(list((tmp_path / "tracked").rglob("track1.txt"))) == 1
    note = "the cosine of its vectors approximates its distance"
    assert note in capsys.readouterr().err
    assert note in (tmp_path / "tracked" / "run.json").read_text()
    assert note in (tmp_path / "tracked" / "report.html").read_text(encoding="utf-8")
    data = ["--dataset", "veri", "--data-root", str(tiny_datasets / "veri"), "--output", str(tmp_path / "distances")]
    analyse.main(["distances", "--weights", weights, *data, "--device", "cpu"])
    assert note in capsys.readouterr().err


def test_pven_without_a_parser_is_refused(repository: Path, tiny_datasets: Path, parts: Path, tmp_path: Path) -> None:
    arguments = command("pven", repository, tiny_datasets, parts, tmp_path)
    with pytest.raises(InputError, match=r"reid\.pretrain parser"):
        train.main([*arguments, "--set", "pretrained_part=none"])


def test_a_part_of_another_size_or_kind_is_refused(
    repository: Path, tiny_datasets: Path, parts: Path, tmp_path: Path
) -> None:
    arguments = command("saver", repository, tiny_datasets, parts, tmp_path)
    with pytest.raises(InputError, match=r"model\.auto_encoder"):
        train.main([*arguments, "--set", "model.auto_encoder.latent=3"])
    with pytest.raises(InputError, match="not an auto-encoder"):
        train.main([*arguments, "--set", f"pretrained_part={parts / 'parser' / 'model.safetensors'}"])


def test_architectures_are_named_in_the_settings() -> None:
    assert {"saver", "pven"} <= set(ARCHITECTURES)
