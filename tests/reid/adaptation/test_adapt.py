"""`python -m reid.adapt` on crops of a few pixels."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import InputError
from reid.adapt import main
from reid.adaptation import AdaptSettings, adapt, read_run
from reid.checkpoint import load_model, save_model
from reid.extractor import Extractor
from reid.models import ReidModel
from reid.settings import ModelConfig

TINY = {
    "steps": 6,
    "vehicles": 4,
    "check_every": 2,
    "views": {"local": 1, "local_size": [16, 16], "pad": 2},
    "ssl": {"hidden": [32, 16], "outputs": 24, "batch_norm": True, "pairs": "mean"},
}


@pytest.fixture
def start(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "start.safetensors"
    save_model(path, ReidModel(ModelConfig(backbone="resnet18_ibn_quarter", image_size=(32, 32))).eval(), {})
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two cameras; vehicles pass in pairs, those of a pair at once; the second camera is darker."""
    folder = tmp_path / "run" / "crops"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    rows = [["path", "track", "camera", "start", "end", "identity start"]]
    for vehicle in range(12):
        colour = random.integers(60, 256, 3)
        for camera in (1, 2):
            first = 10.0 * (vehicle // 2) + 100 * camera
            for crop in range(3):
                pixels = np.clip(colour / camera + random.normal(0, 12, (24, 24, 3)), 0, 255).astype(np.uint8)
                name = f"{camera}_{vehicle}_{crop}.png"
                Image.fromarray(pixels).save(folder / name)
                rows.append([name, f"{camera}-{vehicle}", f"c{camera}", str(first), str(first + 4), str(vehicle)])
    with (folder / "crops.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder.parent


def test_the_command_writes_a_checkpoint_with_a_card(
    run: Path, start: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = [f"--set={name}={json.dumps(value)}" for name, value in TINY.items()]
    assert main(["--run", str(run), "--weights", str(start), "--device", "cpu", "--workers", "0", *options]) == 0
    output = run / "adapted.safetensors"
    assert capsys.readouterr().out == f"{output}\n"
    extractor = Extractor.load(output, "cpu", precision="float32")
    assert extractor.embed([np.zeros((8, 8, 3), np.uint8)]).shape == (1, 128)
    card = json.loads(output.with_suffix(".json").read_text())
    assert card["method"] == "adapted" and card["start"]["weights"] == str(start)
    assert card["data"]["tracks"] == 24 and card["data"]["pairs_known_to_differ"] >= 6
    assert card["checks"][0]["step"] == 0
    assert card["steps"] in [check["step"] for check in card["checks"]]
    assert str(run) in output.with_suffix(".md").read_text()
    with pytest.raises(InputError, match="would overwrite"):
        main(["--run", str(run), "--weights", str(start), "--output", str(start)])
    with pytest.raises(InputError, match="stepz"):
        main(["--run", str(run), "--weights", str(start), "--set", "stepz=3"])


@pytest.mark.parametrize("self_supervision", [0.0, 0.05])
def test_what_is_learned_is_the_best_check_and_the_start_stays_as_it_is(
    run: Path, start: Path, self_supervision: float
) -> None:
    model, _ = load_model(start)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    settings = AdaptSettings.model_validate({**TINY, "self_supervision": self_supervision, "learning_rate": 1e-3})
    result = adapt(model, read_run(run), settings, workers=0)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    checks = {check["step"]: check["agreement"] for check in result.description["checks"]}
    assert checks[result.description["steps"]] == max(checks.values())
    again = adapt(model, read_run(run), settings, workers=0)
    for name, value in result.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_keeping_everything_learns_nothing_and_stops_early(run: Path, start: Path) -> None:
    model, _ = load_model(start)
    settings = AdaptSettings.model_validate({**TINY, "keep": 1.0, "patience": 1, "steps": 40})
    result = adapt(model, read_run(run), settings, workers=0)
    assert result.description["steps"] == 0
    assert len(result.description["checks"]) == 2
    for name, value in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(result.model.state_dict()[name], value), name


def test_tracks_that_are_never_seen_together_are_too_little(run: Path, start: Path) -> None:
    crops = read_run(run)
    one = crops[crops.track == 0]
    with pytest.raises(InputError, match="never seen at the same time"):
        adapt(load_model(start)[0], one, AdaptSettings.model_validate(TINY), workers=0)
