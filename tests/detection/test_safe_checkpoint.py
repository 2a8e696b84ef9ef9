"""Checkpoints: what is loaded, what is refused, and that nothing in them runs."""

from __future__ import annotations

import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from common.errors import InputError
from detection.safe_checkpoint import load_modules
from detection.ultralytics_package import ultralytics_module


class Asks:
    """Pickles as a call of anything."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call, self.arguments


def test_predicts_as_the_model_that_was_saved(checkpoint: Path, yolo_modules: Any) -> None:
    loaded = load_modules(checkpoint)
    assert type(loaded) is type(yolo_modules) and not loaded.training
    assert loaded.names == yolo_modules.names
    picture = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        # The file holds halves.
        assert torch.equal(loaded(picture)[0], deepcopy(yolo_modules).half().float()(picture)[0])
    for (name, expected), (_, got) in zip(yolo_modules.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert torch.equal(expected.half().float(), got.float()), name


def test_real_fused_checkpoint_equals_ultralytics(shared: Path) -> None:
    path = shared / "weights" / "yolo11n_from_int8.pt"
    expected = ultralytics_module("ultralytics.models").YOLO(path).model.float().eval()
    picture = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(load_modules(path)(picture)[0], expected(picture)[0])


def test_averaged_model_is_preferred(checkpoint: Path, tmp_path: Path, yolo_modules: Any) -> None:
    torch.save({"model": None, "ema": yolo_modules}, tmp_path / "last.pt")
    assert load_modules(tmp_path / "last.pt").names == yolo_modules.names


def test_records_of_the_training_are_dropped(tmp_path: Path, yolo_modules: Any) -> None:
    namespace = ultralytics_module("ultralytics.utils").IterableSimpleNamespace(imgsz=64)
    torch.save({"model": yolo_modules, "train_args": namespace, "where": Path("/x")}, tmp_path / "old.pt")
    load_modules(tmp_path / "old.pt")


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_a_call_of_the_shell_is_refused_and_not_made(tmp_path: Path, yolo_modules: Any, place: str) -> None:
    trace = tmp_path / "ran"
    attack = Asks(os.system, f"touch {trace}")
    content = {"model": yolo_modules, "note": attack} if place == "beside" else {"model": attack}
    torch.save(content, tmp_path / "evil.pt")
    with pytest.raises(InputError, match=r"evil\.pt: names posix\.system") as caught:
        load_modules(tmp_path / "evil.pt")
    assert not trace.exists() and "\n" not in str(caught.value)


def test_a_constructor_that_evaluates_text_is_not_called(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    model = ultralytics_module("ultralytics.nn.tasks").DetectionModel
    configuration = {
        "nc": 1, "activation": f"open({str(trace)!r}, 'w')", "backbone": [[-1, 1, "Conv", [8]]], "head": [],
    }  # fmt: skip
    torch.save({"model": Asks(model, configuration)}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match=r"evil\.pt"):
        load_modules(tmp_path / "evil.pt")
    assert not trace.exists()


def test_reaching_through_attributes_leads_nowhere(tmp_path: Path, yolo_modules: Any) -> None:
    model = ultralytics_module("ultralytics.nn.tasks").DetectionModel
    attack = Asks(getattr, Asks(getattr, model, "__init__"), "__globals__")
    torch.save({"model": attack}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="holds no model"):
        load_modules(tmp_path / "evil.pt")


@pytest.mark.parametrize("length", [0, 100, 0.5, 0.98])
def test_damaged_file(checkpoint: Path, tmp_path: Path, length: float) -> None:
    data = checkpoint.read_bytes()
    path = tmp_path / "half.pt"
    path.write_bytes(data[: int(length * len(data)) if isinstance(length, float) else length])
    with pytest.raises(InputError, match=r"half\.pt: not a readable") as caught:
        load_modules(path)
    assert "\n" not in str(caught.value)


def test_text_and_other_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(InputError, match="not a readable"):
        load_modules(tmp_path / "text.pt")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "state.pt")
    with pytest.raises(InputError, match="holds no model, only the keys weight"):
        load_modules(tmp_path / "state.pt")
    torch.save({"model": torch.nn.Linear(2, 2)}, tmp_path / "linear.pt")
    assert isinstance(load_modules(tmp_path / "linear.pt"), torch.nn.Linear)
