"""torchvision's detection models, whose licence is permissive, by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchvision
from torchvision.models import get_model, get_model_weights, list_models

from common.damaged_checkpoints import DAMAGED_CHECKPOINT
from common.errors import InputError, path_not_found
from common.nearest import nearest
from detection.boxes import suppress
from detection.detections import Detections
from detection.network import content_hash
from detection.vehicle_classes import VEHICLES, ClassChoice, coco_labels

_BATCH = 4
# COCO's category numbers, which torchvision uses, reach to 90; 0 is the background.
_CLASSES = 91


class TorchvisionDetector:
    """Finds vehicles with a model of `torchvision.models.detection` that knows COCO's classes.

    Args:
        name: such as "fasterrcnn_resnet50_fpn_v2", "retinanet_resnet50_fpn_v2" or "ssdlite320_mobilenet_v3_large".
        state: a file with the model's state dict; None: torchvision downloads its COCO weights.
        device: a torch device.
        score: boxes need more confidence than this. Raising it loses faint vehicles and ghosts alike.
        nms_iou: boxes that overlap by more are one vehicle, whichever class they have.
        image_size: shorter side that frames are scaled to, None: the model's own. SSD models take one size only.
        threads: of the CPU for torch in the whole process; 0: leaves them.
        vehicles: COCO labels to report.
        classes: which classes are vehicles, by COCO's names; see `detection.vehicle_classes.coco_labels`.

    Raises:
        InputError: there is no such model, it does not take `image_size`, the file does not fit it, or the download
            fails.
    """

    def __init__(
        self,
        name: str,
        *,
        state: Path | None = None,
        device: str = "cpu",
        score: float = 0.25,
        nms_iou: float = 0.7,
        image_size: int | None = None,
        threads: int = 0,
        vehicles: Collection[int] = VEHICLES,
        classes: ClassChoice | None = None,
    ) -> None:
        # Keypoint models know people only.
        known = [each for each in list_models(module=torchvision.models.detection) if "keypoint" not in each]
        if name not in known:
            raise InputError(f"torchvision:{name}: no such detector in torchvision{nearest(name, known)}")
        if state is not None and not state.is_file():
            raise path_not_found(state, "weights file")
        if threads:
            torch.set_num_threads(threads)
        self._name = name
        self._state = state
        self._score = score
        self._nms_iou = nms_iou
        self._image_size = image_size
        self._device = torch.device(device)
        names = dict(enumerate(get_model_weights(name).DEFAULT.meta["categories"]))
        self._label = coco_labels(names, _CLASSES, vehicles, f"torchvision:{name}", classes)
        options: dict[str, float] = {"box_score_thresh" if "rcnn" in name else "score_thresh": score}
        if image_size is not None and not name.startswith("ssd"):
            options["min_size"] = image_size
        model: Any = get_model(name, weights=None, weights_backbone=None, num_classes=_CLASSES, **options)
        only = model.transform.fixed_size
        if only is not None and image_size not in (None, max(only)):
            raise InputError(
                f"torchvision:{name}: takes {only[0]}x{only[1]} pixels only, image size {image_size} was asked for; "
                "leave the image size out"
            )
        model.load_state_dict(self._read_state(model))
        self._model = model.eval().to(self._device)

    @cached_property
    def key(self) -> str:
        """See `detection.detector.Detector`."""
        weights = get_model_weights(self._name).DEFAULT.url if self._state is None else content_hash(self._state)
        labels = ",".join(map(str, self._label))
        return (
            f"torchvision {self._name} {weights} {self._device.type} size={self._image_size or 'own'} "
            f"score={self._score:g} nms={self._nms_iou:g} labels={labels}"
        )

    def prepare(self, height: int, width: int) -> None:
        """Nothing is left to do."""

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        """See `detection.detector.Detector`."""
        found: list[Detections] = []
        for start in range(0, len(frames), _BATCH):
            batch = [self._tensor(frame) for frame in frames[start : start + _BATCH]]
            with torch.inference_mode():
                outputs = self._model(batch)
            found += [self._table(output, start + offset + 1) for offset, output in enumerate(outputs)]
        return found

    def _tensor(self, frame: npt.NDArray[np.uint8]) -> torch.Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(frame[..., ::-1])).to(self._device)
        return pixels.permute(2, 0, 1).float() / 255

    def _table(self, output: dict[str, torch.Tensor], position: int) -> Detections:
        box = output["boxes"].cpu().numpy().astype(np.float32)
        score = output["scores"].cpu().numpy().astype(np.float32)
        label = self._label[output["labels"].cpu().numpy()]
        wanted = (label >= 0) & (score > self._score)
        box, score, label = box[wanted], score[wanted], label[wanted]
        rows = suppress(box, score, self._nms_iou)
        box = box[rows]
        box[:, 2:] -= box[:, :2]
        return Detections(np.full(len(rows), position, np.int32), box, score[rows], label[rows])

    def _read_state(self, model: torch.nn.Module) -> dict[str, Any]:
        if self._state is None:
            weights = get_model_weights(self._name).DEFAULT
            try:
                downloaded: dict[str, Any] = weights.get_state_dict(progress=False, check_hash=True)
            except (OSError, RuntimeError) as error:
                raise InputError(
                    f"torchvision:{self._name}: cannot download {weights.url} ({error}); fetch it elsewhere and give "
                    f"torchvision:{self._name}:FILE"
                ) from error
            return downloaded
        try:
            state = torch.load(self._state, map_location="cpu", weights_only=True)
        except DAMAGED_CHECKPOINT as error:
            raise InputError(f"{self._state}: not a readable state dict of torch; save model.state_dict()") from error
        expected = model.state_dict()
        if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise InputError(f"{self._state}: not a state dict of tensors; save model.state_dict()")
        differing = [
            key
            for key in [*expected, *(key for key in state if key not in expected)]
            if key not in state or key not in expected or state[key].shape != expected[key].shape
        ]
        if differing:
            raise InputError(
                f"{self._state}: does not fit {self._name}: {len(differing)} tensors differ, first {differing[0]}"
            )
        return state
