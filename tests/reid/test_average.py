"""`python -m reid.average`."""

import json
from pathlib import Path

import pytest
import torch

from common.errors import InputError
from reid.average import main
from reid.checkpoint import load_model, save_model
from reid.models import ReidModel
from reid.settings import ModelConfig

QUARTER = ModelConfig(backbone="resnet18_ibn_quarter", image_size=(32, 32))


def test_the_mean_of_two_checkpoints(tmp_path: Path) -> None:
    files = [tmp_path / "start.safetensors", tmp_path / "learned.safetensors"]
    for seed, file in enumerate(files):
        torch.manual_seed(seed)
        save_model(file, ReidModel(QUARTER), {"method": "baseline", "metrics": {"mAP": 1.0}})
    output = tmp_path / "mean.safetensors"
    arguments = ["--start", str(files[0]), "--learned", str(files[1]), "--output", str(output)]
    assert main([*arguments, "--keep", "0.25"]) == 0
    start, learned, mean = (load_model(file)[0].state_dict() for file in (*files, output))
    for name, value in mean.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.25 * start[name] + 0.75 * learned[name])
    card = json.loads(output.with_suffix(".json").read_text())
    assert card["averaged_with"]["keep"] == 0.25
    assert "metrics" not in card  # they were those of one of the two
    with pytest.raises(InputError, match="--keep 2"):
        main([*arguments, "--keep", "2"])
    other = tmp_path / "other.safetensors"
    save_model(other, ReidModel(QUARTER.model_copy(update={"image_size": (48, 48)})), {})
    with pytest.raises(InputError, match="another network"):
        main(["--start", str(other), *arguments[2:]])
