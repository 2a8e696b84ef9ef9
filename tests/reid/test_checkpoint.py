import json
from pathlib import Path

import pytest
import torch

from common.errors import InputError
from reid.checkpoint import load_model, save_model
from reid.models import build_model
from reid.settings import ModelConfig
from reid.tensor_files import read_tensors, write_tensors

CONFIG = ModelConfig(backbone="resnet18_ibn_quarter", pooling="gem", image_size=(32, 48))


def test_a_stored_model_embeds_the_same(tmp_path: Path) -> None:
    model = build_model(CONFIG).eval()
    save_model(tmp_path / "a.safetensors", model, {"seed": 7})
    loaded, config = load_model(tmp_path / "a.safetensors")
    assert config == CONFIG
    assert not loaded.training
    images = torch.randn(2, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(loaded.embed(images), model.embed(images))
    beside = json.loads((tmp_path / "a.json").read_text())
    assert beside["seed"] == 7
    assert beside["model"]["backbone"] == "resnet18_ibn_quarter"
    assert "torch" in beside["versions"]


def test_float16_halves_the_file_and_hardly_moves_the_features(tmp_path: Path) -> None:
    model = build_model(CONFIG).eval()
    save_model(tmp_path / "full.safetensors", model, {})
    save_model(tmp_path / "half.safetensors", model, {}, "float16")
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded, _ = load_model(tmp_path / "half.safetensors")
    assert all(p.dtype == torch.float32 for p in loaded.parameters())
    images = torch.randn(4, 3, 32, 48)
    with torch.no_grad():
        similarity = torch.cosine_similarity(loaded.embed(images), model.embed(images))
    assert similarity.min() > 0.9999


def test_tensors_of_another_network_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_model(path, build_model(CONFIG), {})
    tensors, description = read_tensors(path)
    description["model"]["backbone"] = "resnet18_ibn_half"
    write_tensors(path, tensors, description)
    with pytest.raises(InputError, match=r"a\.safetensors.*different network.*different shape.*conv1\.weight"):
        load_model(path)
    del tensors["bottleneck.weight"]
    description["model"]["backbone"] = "resnet18_ibn_quarter"
    write_tensors(path, tensors, description)
    with pytest.raises(InputError, match=r"1 missing \(bottleneck\.weight\)"):
        load_model(path)


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "no description"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.safetensors"
    save_model(tmp_path / "b.safetensors", build_model(CONFIG), {})
    if damage == "cut":
        path.write_bytes((tmp_path / "b.safetensors").read_bytes()[:-100])
    elif damage == "text":
        path.write_text("no weights")
    elif damage == "no description":
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"a\.safetensors"):
        load_model(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(1)}, {"n": 1})

    def disk_full(self: Path, *arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space"):
        write_tensors(path, {"a": torch.zeros(1)}, {"n": 2})
    monkeypatch.undo()
    assert read_tensors(path)[0]["a"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.safetensors"]
