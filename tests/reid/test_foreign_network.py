"""Networks as other projects export them: input types, axis orders, batch sizes and output shapes."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from common.errors import InputError
from reid.extractor import Extractor
from reid.network_options import split_options

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the tracing exporter

SIZE = (16, 24)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class MeanColour(nn.Module):
    """(n, 3, h, w) to (n, 4): a linear map of the mean colour, so that the expected features are known."""

    weight: torch.Tensor

    def __init__(self, *, nhwc: bool = False, trailing: bool = False, scale: float = 1.0, outputs: int = 1) -> None:
        super().__init__()
        self.register_buffer(
            "weight", torch.tensor([[1.0, 0.2, 0.1], [0.3, 1.0, 0.2], [0.1, 0.5, 1.0], [1.0, 1.0, 0.0]])
        )
        self.nhwc, self.trailing, self.scale, self.outputs = nhwc, trailing, scale, outputs

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        images = images.float() * self.scale if self.scale != 1.0 else images.float()
        colour = images.mean(dim=(1, 2) if self.nhwc else (2, 3))
        features = colour @ self.weight.T
        if self.trailing:
            features = features[:, :, None, None]
        return features if self.outputs == 1 else (features, torch.softmax(features, dim=1))


def export(
    path: Path, network: nn.Module, example: torch.Tensor, *, free_batch: bool = True, free_size: bool = False
) -> Path:
    axes = ({0: "n"} if free_batch else {}) | ({2: "h", 3: "w"} if free_size else {})
    torch.onnx.export(
        network.eval(),
        (example,),
        str(path),
        input_names=["data"],
        output_names=["features", "scores"][: getattr(network, "outputs", 1)],
        dynamic_axes={"data": axes, **({"features": {0: "n"}} if free_batch else {})} if axes else None,
        dynamo=False,
    )
    return path


@pytest.fixture(scope="module")
def crops() -> list[npt.NDArray[np.uint8]]:
    """Three BGR crops of one colour each."""
    return [np.full((20, 30, 3), colour, np.uint8) for colour in ((200, 30, 60), (10, 250, 90), (90, 90, 91))]


def expected(
    crops: list[npt.NDArray[np.uint8]], mean: npt.ArrayLike = MEAN, std: npt.ArrayLike = STD, *, bgr: bool = False
) -> npt.NDArray[np.float64]:
    colours = np.array([crop[0, 0] if bgr else crop[0, 0, ::-1] for crop in crops], np.float64)
    features = (colours / 255 - mean) / std @ MeanColour().weight.numpy().T
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True))


@pytest.mark.parametrize("element", [torch.float32, torch.float16])
@pytest.mark.parametrize("nhwc", [False, True])
@pytest.mark.parametrize(("trailing", "free_batch"), [(False, True), (True, True), (False, False)])
def test_layouts_of_float_networks_give_the_same_features(
    tmp_path: Path,
    crops: list[npt.NDArray[np.uint8]],
    element: torch.dtype,
    nhwc: bool,
    trailing: bool,
    free_batch: bool,
) -> None:
    shape = (2, *SIZE, 3) if nhwc else (2, 3, *SIZE)
    path = export(
        tmp_path / "net.onnx",
        MeanColour(nhwc=nhwc, trailing=trailing),
        torch.zeros(shape, dtype=element),
        free_batch=free_batch,
    )
    extractor = Extractor.load(path, "cpu", precision="float32")
    assert (extractor.image_size, extractor.dims) == (SIZE, 4)
    np.testing.assert_allclose(extractor.embed(crops), expected(crops), atol=3e-3 if element == torch.float16 else 1e-5)
    (note,) = extractor.notes
    assert "assumed: RGB, values 0..1, mean 0.485/0.456/0.406" in note and "net.onnx" in note


@pytest.mark.parametrize("nhwc", [False, True])
def test_uint8_networks_get_bytes(tmp_path: Path, crops: list[npt.NDArray[np.uint8]], nhwc: bool) -> None:
    shape = (2, *SIZE, 3) if nhwc else (2, 3, *SIZE)
    path = export(tmp_path / "net.onnx", MeanColour(nhwc=nhwc), torch.zeros(shape, dtype=torch.uint8))
    extractor = Extractor.load(path, "cpu", precision="float32")
    np.testing.assert_allclose(extractor.embed(crops), expected(crops, 0.0, 1.0), atol=1e-5)
    with pytest.raises(InputError, match=r"takes uint8 images, so mean, std and range cannot be set"):
        Extractor.check(f"{path}:mean=0.5")


def test_normalisation_inside_the_network_is_not_repeated(tmp_path: Path, crops: list[npt.NDArray[np.uint8]]) -> None:
    path = export(tmp_path / "net.onnx", MeanColour(scale=1 / 255), torch.zeros(2, 3, *SIZE))
    extractor = Extractor.load(path, "cpu", precision="float32")
    np.testing.assert_allclose(extractor.embed(crops), expected(crops, 0.0, 1.0), atol=1e-5)
    assert "values 0..255, normalised in the network" in extractor.notes[0]


def test_options_come_from_a_file_next_to_the_network_and_from_its_name(
    tmp_path: Path, crops: list[npt.NDArray[np.uint8]]
) -> None:
    path = export(tmp_path / "net.onnx", MeanColour(), torch.zeros(2, 3, *SIZE))
    assumed = Extractor.load(path, "cpu", precision="float32")
    given = Extractor.load(f"{path}:bgr,mean=0.5,0.4,0.3,std=0.2/0.3/0.4", "cpu", precision="float32")
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    np.testing.assert_allclose(given.embed(crops), expected(crops, mean, std, bgr=True), atol=1e-5)
    assert "as given: BGR, values 0..1, mean 0.5/0.4/0.3, deviation 0.2/0.3/0.4" in given.notes[0]
    (tmp_path / "net.yaml").write_text("colour: bgr\nmean: [127.5, 102, 76.5]\nstd: [51, 76.5, 102]\n")
    from_file = Extractor.load(path, "cpu", precision="float32")  # means above 2: values of 0..255
    np.testing.assert_allclose(from_file.embed(crops), given.embed(crops), atol=1e-5)
    both = Extractor.load(f"{path}:rgb", "cpu", precision="float32")
    np.testing.assert_allclose(both.embed(crops), expected(crops, mean, std), atol=1e-5)
    assert len({extractor.key for extractor in (assumed, given, from_file, both)}) == 4
    (tmp_path / "net.yaml").write_text("color: bgr\n")
    with pytest.raises(InputError, match=r"net\.yaml: unknown key 'color'; did you mean colour"):
        Extractor.check(path)


def test_letterbox_keeps_the_aspect_ratio(tmp_path: Path) -> None:
    path = export(tmp_path / "net.onnx", MeanColour(), torch.zeros(2, 3, *SIZE))
    extractor = Extractor.load(f"{path}:letterbox,interpolation=nearest", "cpu")
    prepared = extractor.prepare([np.full((32, 12, 3), 255, np.uint8)])[0]
    assert prepared[:, :, 9:15].min() == 255 and prepared.sum() == 255 * 3 * 16 * 6
    assert Extractor.load(path, "cpu").prepare([np.full((32, 12, 3), 255, np.uint8)]).min() == 255


def test_a_free_size_must_be_given(tmp_path: Path, crops: list[npt.NDArray[np.uint8]]) -> None:
    path = export(tmp_path / "net.onnx", MeanColour(), torch.zeros(2, 3, *SIZE), free_size=True)
    with pytest.raises(InputError, match=r"input \(n, 3, \?, \?\) float32: its height is not fixed; give the size"):
        Extractor.check(path)
    extractor = Extractor.load(f"{path}:size=32x48", "cpu", precision="float32")
    assert extractor.image_size == (32, 48)
    np.testing.assert_allclose(extractor.embed(crops), expected(crops), atol=1e-5)


def test_one_of_several_outputs_is_chosen_by_name(tmp_path: Path, crops: list[npt.NDArray[np.uint8]]) -> None:
    path = export(tmp_path / "net.onnx", MeanColour(outputs=2), torch.zeros(2, 3, *SIZE), free_batch=False)
    with pytest.raises(InputError, match=r"several outputs.*features \(2, 4\), scores \(2, 4\).*output=NAME"):
        Extractor.check(path)
    extractor = Extractor.load(f"{path}:output=features", "cpu", precision="float32")
    np.testing.assert_allclose(extractor.embed(crops), expected(crops), atol=1e-5)
    with pytest.raises(InputError, match="no output 'vector'"):
        Extractor.check(f"{path}:output=vector")


class TwoInputs(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a + b).mean(dim=(2, 3))


def test_impossible_networks_say_what_was_found_and_what_is_supported(tmp_path: Path) -> None:
    pair = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    torch.onnx.export(TwoInputs(), pair, str(tmp_path / "two.onnx"), dynamo=False)
    with pytest.raises(InputError, match=r"two\.onnx: 2 inputs .*supported are \(n, 3, height, width\)"):
        Extractor.check(tmp_path / "two.onnx")
    grey = export(tmp_path / "grey.onnx", nn.Conv2d(1, 4, 1), torch.zeros(1, 1, 8, 8))
    with pytest.raises(InputError, match=r"input \(n, 1, 8, 8\) float32: no axis of 3 channels; supported are"):
        Extractor.check(grey)
    feature_map = export(tmp_path / "map.onnx", nn.Conv2d(3, 4, 1), torch.zeros(1, 3, 8, 8))
    with pytest.raises(InputError, match=r"output features \(n, 4, 8, 8\); supported are \(n, d\) and \(n, d, 1, 1\)"):
        Extractor.check(feature_map)
    flat = export(tmp_path / "flat.onnx", nn.Linear(192, 4), torch.zeros(1, 192))
    with pytest.raises(InputError, match=r"input \(n, 192\) float32; supported are"):
        Extractor.check(flat)
    with pytest.raises(InputError, match=r"height is fixed at 8, size asks for 16; remove size"):
        Extractor.check(f"{feature_map}:size=16")
    with pytest.raises(InputError, match=r"'fast' is neither key=value nor one of rgb, bgr"):
        Extractor.check(f"{feature_map}:fast")


def test_a_name_with_a_colon_that_exists_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx:odd"
    path.write_bytes(b"")
    assert split_options(path) == (str(path), "")
    assert split_options(r"C:\nets\net.onnx") == (r"C:\nets\net.onnx", "")
