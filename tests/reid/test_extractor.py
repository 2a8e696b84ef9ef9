"""Crops of any kind become unit vectors, the same through every backend and file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reid
from common.errors import InputError
from reid.checkpoint import save_model
from reid.embedding import embed_files
from reid.export import export_model
from reid.export import main as export_main
from reid.extractor import Extractor, find_weights
from reid.models import ReidModel
from reid.settings import ModelConfig
from reid.shipped import shipped_extractor

SIZE = (32, 48)


def make_model(seed: int = 0, size: tuple[int, int] = SIZE) -> ReidModel:
    """A tiny network whose norms have statistics of their own, as after training."""
    torch.manual_seed(seed)
    model = ReidModel(ModelConfig(backbone="resnet18_ibn_quarter", image_size=size))
    model.train()
    for _ in range(3):
        model.embed(torch.randn(8, 3, *size))
    return model.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, make_model(), {"seed": 0})
    return path


@pytest.fixture(scope="module")
def extractor(checkpoint: Path) -> Extractor:
    return Extractor.load(checkpoint, "cpu", precision="float32", threads=1)


@pytest.fixture
def crops() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((32, 48), (90, 70), (7, 200), (300, 400))]


def test_the_interface_that_people_are_told() -> None:
    assert reid.Extractor is Extractor
    with pytest.raises(AttributeError, match="no attribute 'extractor_of_teeth'"):
        _ = reid.extractor_of_teeth


def test_vectors_have_length_one_and_the_stated_type(extractor: Extractor, crops: list[np.ndarray]) -> None:
    vectors = extractor.embed(crops)
    assert vectors.shape == (4, extractor.dims) == (4, 128)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_openvino_equals_torch(checkpoint: Path, extractor: Extractor, crops: list[np.ndarray]) -> None:
    reference = Extractor.load(checkpoint, "cpu", backend="torch")
    assert reference.precision == "float32"
    np.testing.assert_allclose(extractor.embed(crops), reference.embed(crops), atol=2e-5)
    assert extractor.key != reference.key


def test_bfloat16_is_near(checkpoint: Path, extractor: Extractor, crops: list[np.ndarray]) -> None:
    for backend in ("openvino", "torch"):
        half = Extractor.load(checkpoint, "cpu", precision="bfloat16", backend=backend)
        assert half.precision == "bfloat16"
        assert (half.embed(crops) * extractor.embed(crops)).sum(axis=1).min() > 0.99


def test_a_vector_does_not_depend_on_its_batch(checkpoint: Path, extractor: Extractor, crops: list[np.ndarray]) -> None:
    one_by_one = np.concatenate([extractor.embed([crop]) for crop in crops])
    in_threes = Extractor.load(checkpoint, "cpu", precision="float32", batch=3).embed(crops)
    np.testing.assert_allclose(one_by_one, extractor.embed(crops), atol=1e-5)
    np.testing.assert_allclose(in_threes, extractor.embed(crops), atol=1e-5)


def test_colour_order_and_kinds_of_images(extractor: Extractor, crops: list[np.ndarray]) -> None:
    bgr = crops[1]
    expected = extractor.embed([bgr])
    rgb = np.ascontiguousarray(bgr[:, :, ::-1])
    alpha = np.dstack([bgr, np.zeros(bgr.shape[:2], np.uint8)])
    np.testing.assert_allclose(extractor.embed([rgb], colour="rgb"), expected, atol=1e-5)
    np.testing.assert_allclose(extractor.embed([alpha]), expected, atol=1e-5)
    np.testing.assert_allclose(extractor.embed([Image.fromarray(rgb)]), expected, atol=1e-5)
    assert (extractor.embed([rgb]) * expected).sum() < 0.9999
    grey = bgr[:, :, 0]
    as_colour = extractor.embed([np.repeat(grey[:, :, None], 3, axis=2)])
    for kind in (grey, grey[:, :, None], Image.fromarray(grey)):
        np.testing.assert_allclose(extractor.embed([kind]), as_colour, atol=1e-5)


def test_one_pixel_empty_and_no_crops(extractor: Extractor) -> None:
    vectors = extractor.embed([np.full((1, 1, 3), 200, np.uint8), np.zeros((0, 5, 3), np.uint8)])
    assert np.isclose(np.linalg.norm(vectors[0]), 1)
    assert not vectors[1].any()
    assert extractor.embed([]).shape == (0, 128)


def test_what_is_no_image_is_refused(extractor: Extractor) -> None:
    with pytest.raises(ValueError, match="must be uint8"):
        extractor.embed([np.zeros((4, 4, 3), np.float32)])
    with pytest.raises(TypeError, match=r"not str; PIL\.Image\.open reads a file"):
        extractor.embed(["car.jpg"])
    with pytest.raises(ValueError, match="must be \\(h, w\\)"):
        extractor.embed([np.zeros((4, 4, 2), np.uint8)])


def test_the_key_tells_weights_and_precisions_apart(tmp_path: Path, checkpoint: Path, extractor: Extractor) -> None:
    other = tmp_path / "other.safetensors"
    save_model(other, make_model(seed=1), {"seed": 1})
    same = tmp_path / "renamed.safetensors"
    same.write_bytes(checkpoint.read_bytes())
    keys = [Extractor.load(path, "cpu", precision="float32").key for path in (checkpoint, other, same)]
    assert keys[0] == keys[2] == extractor.key != keys[1]
    assert Extractor.load(checkpoint, "cpu", precision="bfloat16").key != keys[0]


def test_a_converted_network_is_found_by_its_content_without_reading_the_checkpoint(
    tmp_path: Path, checkpoint: Path, crops: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Extractor.load(checkpoint, "cpu", precision="float32", cache_dir=tmp_path / "cache")
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(checkpoint.read_bytes())
    other = tmp_path / "other.safetensors"
    other.write_bytes(checkpoint.read_bytes()[:-1] + b"!")

    def refuse(*_: object) -> None:
        raise AssertionError("the checkpoint was read")

    monkeypatch.setattr("reid.extractor._load_checkpoint", refuse)
    assert Extractor.check(moved, tmp_path / "cache") == first.notes
    second = Extractor.load(moved, "cpu", precision="float32", cache_dir=tmp_path / "cache")
    assert second.key == first.key
    np.testing.assert_array_equal(first.embed(crops), second.embed(crops))
    with pytest.raises(AssertionError, match="was read"):
        Extractor.check(other, tmp_path / "cache")


def test_the_converted_network_is_kept_and_used_again(
    tmp_path: Path, checkpoint: Path, crops: list[np.ndarray]
) -> None:
    first = Extractor.load(checkpoint, "cpu", precision="float32", cache_dir=tmp_path / "cache")
    files = sorted(p.name for p in (tmp_path / "cache").iterdir())
    assert [Path(name).suffix for name in files] == [".bin", ".json", ".xml"]
    times = [p.stat().st_mtime_ns for p in sorted((tmp_path / "cache").iterdir())]
    second = Extractor.load(checkpoint, "cpu", precision="float32", cache_dir=tmp_path / "cache")
    assert [p.stat().st_mtime_ns for p in sorted((tmp_path / "cache").iterdir())] == times
    np.testing.assert_array_equal(first.embed(crops), second.embed(crops))


def test_a_network_in_memory_is_left_as_it_was(crops: list[np.ndarray]) -> None:
    model = make_model().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    vectors = Extractor.of_model(model, precision="float32").embed(crops)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    np.testing.assert_allclose(vectors, Extractor.of_model(model, backend="torch").embed(crops), atol=2e-5)


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_exports_agree_and_the_extractor_takes_them(
    tmp_path: Path,
    checkpoint: Path,
    extractor: Extractor,
    crops: list[np.ndarray],
    form: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / f"tiny{'.onnx' if form == 'onnx' else '.xml'}"
    assert export_main(["--weights", str(checkpoint), "--format", form, "--output", str(output)]) == 0
    assert "images (n, 3, 32, 48) uint8 RGB to embedding (n, 128)" in capsys.readouterr().out
    exported = Extractor.load(output, "cpu", precision="float32")
    assert (exported.image_size, exported.dims) == (SIZE, 128)
    assert (exported.embed(crops) * extractor.embed(crops)).sum(axis=1).min() >= 0.9999
    with pytest.raises(InputError, match=r"must end in"):
        export_main(["--weights", str(checkpoint), "--format", form, "--output", str(tmp_path / "x.pt")])


def test_an_export_that_differs_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid.export._run", lambda path, form, images: -np.ones((len(images), 128), np.float32))
    with pytest.raises(InputError, match="gives different vectors"):
        export_model(make_model(), tmp_path / "tiny.onnx", "onnx")
    assert not list(tmp_path.iterdir())


def test_foreign_and_damaged_files_are_named(tmp_path: Path, checkpoint: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"broken\.onnx: not a readable network"):
        Extractor.load(tmp_path / "broken.onnx", "cpu")
    (tmp_path / "broken.safetensors").write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"broken\.safetensors"):
        Extractor.load(tmp_path / "broken.safetensors", "cpu")
    floats = torch.nn.Conv2d(3, 4, 1)
    torch.onnx.export(floats, (torch.zeros(1, 3, 8, 8),), str(tmp_path / "float.onnx"), dynamo=False)
    with pytest.raises(InputError, match=r"float\.onnx: output .*supported are"):
        Extractor.load(tmp_path / "float.onnx", "cpu")


def test_wrong_arguments_say_what_there_is(checkpoint: Path) -> None:
    with pytest.raises(InputError, match=r"did you mean tiny\.safetensors"):
        find_weights(checkpoint.parent / "tyny.safetensors")
    assert find_weights("ssbver") == shipped_extractor("ssbver")
    with pytest.raises(InputError, match="did you mean ssbver"):
        find_weights("sbver")
    with pytest.raises(InputError, match="precision 'int4' is unknown; did you mean int8"):
        Extractor.load(checkpoint, "cpu", precision="int4")
    with pytest.raises(InputError, match="device 'gpu' is unknown"):
        Extractor.load(checkpoint, "gpu")
    with pytest.raises(InputError, match="GPUs here; use auto or cpu"):
        Extractor.load(checkpoint, "cuda:63")
    with pytest.raises(InputError, match="batch must be at least 1"):
        Extractor.load(checkpoint, "cpu", batch=0)


def test_unreadable_files_are_named_and_left_out(tmp_path: Path, extractor: Extractor, crops: list[np.ndarray]) -> None:
    paths = []
    for number in range(70):
        Image.fromarray(crops[number % 4]).save(tmp_path / f"{number}.png")
        paths.append(str(tmp_path / f"{number}.png"))
    whole = Path(paths[40]).read_bytes()
    Path(paths[40]).write_bytes(whole[: len(whole) // 2])
    Path(paths[5]).write_bytes(b"")
    paths.append(str(tmp_path / "absent.png"))
    seen: list[int] = []
    embedded = embed_files(extractor, paths, progress=seen.append)
    assert np.flatnonzero(~embedded.readable).tolist() == [5, 40, 70]
    assert len(embedded.unreadable) == 3 and "40.png" in embedded.unreadable[1]
    assert not embedded.vectors[[5, 40, 70]].any()
    assert sum(seen) == 71
    np.testing.assert_allclose(embedded.vectors[33], extractor.embed([crops[1]], colour="rgb")[0], atol=1e-5)


def test_shipped_networks_load_by_name_from_any_folder(
    tmp_path: Path, crops: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("baseline", "ssbver"):
        vectors = reid.Extractor.load(name, "cpu").embed(crops)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not list(tmp_path.iterdir())
