"""python -m detection.train: train a small YOLO from scratch on a data set in YOLO's layout, and export it to ONNX.

The network is YOLO11 (Jocher and Qiu 2024, https://github.com/ultralytics/ultralytics) with fewer channels. No
weights are downloaded.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import torch
import yaml

from common.errors import InputError
from detection.ultralytics_package import ultralytics_module
from detection.unfused import restore


def train(
    data: Path,
    output: Path,
    *,
    width: float = 0.125,
    depth: float = 0.5,
    image_size: int = 640,
    tile: int = 320,
    whole: bool = False,
    epochs: int = 14,
    batch: int = 16,
    accumulate: int | None = None,
    rate: float = 0.002,
    seed: int = 0,
    threads: int | None = None,
    workers: int = 0,
    device: str = "cpu",
    start: Path | None = None,
    work: Path | None = None,
    resume: bool = False,
) -> dict[str, float]:
    """Train a YOLO11 and write it as ONNX.

    Args:
        data: folder with `data.yaml` in YOLO's layout; its `names` become the network's classes.
        output: the `.onnx` file to write: input (1, 3, h, w) float32 RGB in [0, 1], any multiple of 32; output (1, 4
            + classes, anchors).
        width: channels as a fraction of the largest YOLO11's; 0.25 is YOLO11n. Size and time grow with its square.
        depth: repeated blocks as a fraction of the largest YOLO11's.
        image_size: longer side in pixels of the pictures that the network is made for; more finds smaller vehicles.
        tile: pixels of the square pieces that it is trained on, cut from pictures of about `image_size`: a fourth of
            the picture takes a fourth of the time, and pieces around objects hold less empty road.
        whole: train on nearly whole pictures, two to a square of `image_size`, instead. Tiles cut large vehicles, and
            a network that saw only tiles takes the cab of a truck for a vehicle of its own.
        epochs: passes over the training pictures.
        batch: tiles, or pairs of pictures, per forward pass.
        accumulate: tiles, or pairs of pictures, per optimiser step; None: `batch`.
        rate: peak learning rate.
        seed: seed of weights, order and augmentation.
        threads: threads of torch; None: one per core.
        workers: processes that load pictures; 0: this one.
        device: "cpu" or a GPU's number.
        start: where to start: a checkpoint of an earlier training (`run/weights/last.pt` in its `work`), whose width
            and depth are then taken, or the `.onnx` file of one with this `width` and `depth`.
        work: where checkpoints are kept; None: a temporary folder.
        resume: continue from the last checkpoint in `work`.

    Returns:
        Metrics on the whole validation pictures: precision, recall, map50, map50_95.

    Raises:
        InputError: `data` holds no data set, or `resume` or `start` finds no checkpoint.
    """
    description = data / "data.yaml"
    if not description.is_file():
        raise InputError(
            f"--data {data}: holds no data.yaml; make a set with: python -m mtmc.simulate --detection --output DIR"
        )
    if output.suffix != ".onnx":
        raise InputError(f"--output {output}: must end in .onnx")
    if start is not None and not start.is_file():
        raise InputError(f"--start {start}: no such file; a training keeps its checkpoint in WORK/run/weights/last.pt")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        models = ultralytics_module("ultralytics.models", folder / "settings")
        last = folder / "run" / "weights" / "last.pt"
        if resume and not last.is_file():
            raise InputError(f"--resume: no checkpoint {last}; leave --resume out to begin")
        # The library resolves relative paths against a folder of its own settings.
        names = yaml.safe_load(description.read_text())
        names["path"] = str(data.resolve())
        placed, pieces = folder / "data.yaml", folder / "tiles.yaml"
        placed.write_text(yaml.safe_dump(names))
        # The library validates after the last epoch whatever it is told; ours is the validation below.
        pieces.write_text(yaml.safe_dump(names | {"path": str(folder / "pieces"), "val": "one.txt"}))
        if not resume:
            pictures = _Pictures(data / names["train"], np.random.default_rng(seed))
            cut = _pairs(pictures, image_size) if whole else _tiles(pictures, image_size, tile)
            _write_pieces(folder / "pieces", cut)
        exported_start = start if start is not None and start.suffix == ".onnx" else None
        given = None if exported_start else start
        first = last if resume else given or _architecture(folder, len(names["names"]), width, depth)
        model = models.YOLO(str(first), task="detect")
        if exported_start and not resume:
            restore(model.model, exported_start, _some(folder / "pieces"))
            model.load(model.model)  # marks the weights as given; else the trainer builds fresh ones
        model.add_callback("on_train_start", partial(_settle, threads or os.cpu_count() or 1))
        if resume:
            model.train(resume=True)
        else:
            side = image_size if whole else tile
            recipe = _recipe(pieces, folder, side, epochs, batch, rate, seed, workers, device)
            # "pretrained" keeps the checkpoint's weights; biases that are learned already are not shaken up.
            recipe |= {"nbs": accumulate or batch, "pretrained": start is not None}
            recipe |= {"warmup_bias_lr": 0.1 if start is None else 0.0}
            model.train(**recipe)
        best = models.YOLO(str(folder / "run" / "weights" / "last.pt"), task="detect")
        metrics = best.val(
            data=str(placed),
            imgsz=image_size,
            plots=False,
            verbose=False,
            project=str(folder),
            name="val",
            exist_ok=True,
        )
        exported = Path(best.export(format="onnx", imgsz=image_size, dynamic=True, simplify=False, opset=17))
        output.parent.mkdir(parents=True, exist_ok=True)
        aside = output.with_suffix(".aside")
        _write_without_paths(exported, aside)
        aside.replace(output)
    box = metrics.box
    return {"precision": float(box.mp), "recall": float(box.mr), "map50": float(box.map50), "map50_95": float(box.map)}


def _write_without_paths(exported: Path, output: Path) -> None:
    """Copy an export; the library's description names a folder of this machine."""
    network = onnx.load(str(exported))
    for entry in network.metadata_props:
        if entry.key == "description":
            entry.value = "Ultralytics YOLO11, made smaller, trained by detection.train"
    onnx.save(network, str(output))


def _architecture(folder: Path, classes: int, width: float, depth: float) -> Path:
    """Write the network's description: the package's own YOLO11 at another scale."""
    package = Path(ultralytics_module("ultralytics").__file__).parent
    description = yaml.safe_load((package / "cfg" / "models" / "11" / "yolo11.yaml").read_text())
    description |= {"nc": classes, "scales": {"t": [depth, width, 1024]}, "scale": "t"}
    path = folder / "yolo11t.yaml"
    path.write_text(yaml.safe_dump(description))
    return path


def _settle(threads: int, trainer: Any) -> None:
    """Channels last makes convolutions of few channels a quarter faster on CPUs."""
    torch.set_num_threads(threads)
    trainer.model.to(memory_format=torch.channels_last)


def _some(pieces: Path, count: int = 64) -> list[npt.NDArray[np.uint8]]:
    """Pictures (height, width, 3) RGB spread over the training pieces."""
    paths = sorted((pieces / "images" / "train").glob("*.jpg"))
    taken = paths[:: max(1, len(paths) // count)][:count]
    return [np.ascontiguousarray(np.asarray(cv2.imread(str(path)), np.uint8)[..., ::-1]) for path in taken]


_Piece = tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.float64]]
"""A name, (h, w, 3) pixels, and (n, 5) class, left, top, right, bottom in pixels."""


class _Pictures:
    """The training pictures, by name, with their boxes."""

    def __init__(self, images: Path, random: np.random.Generator) -> None:
        self.paths = sorted(images.glob("*.jpg"))
        self.random = random
        self._labels = images.parent.parent / "labels" / images.name

    def read(self, path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """The picture, and (n, 5) class and centre, size as shares of it."""
        text = (self._labels / f"{path.stem}.txt").read_text()
        rows = np.array([line.split() for line in text.splitlines()], np.float64).reshape(-1, 5)
        return np.asarray(cv2.imread(str(path)), np.uint8), rows

    def window(
        self,
        picture: npt.NDArray[np.uint8],
        rows: npt.NDArray[np.float64],
        scale: float,
        window: tuple[int, int],
        around: npt.NDArray[np.float64],
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """A window (width, height) of the scaled picture around a place, and the boxes of which enough is in it."""
        shown = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        size = np.array([shown.shape[1], shown.shape[0]])
        corner = around * size - np.array(window) / 2
        left, top = np.clip(corner, 0, np.maximum(size - window, 0)).astype(int)
        cut = shown[top : top + window[1], left : left + window[0]]
        low = (rows[:, 1:3] - rows[:, 3:5] / 2) * size - [left, top]
        high = (rows[:, 1:3] + rows[:, 3:5] / 2) * size - [left, top]
        area = (high - low).prod(1)
        low, high = np.clip(low, 0, window), np.clip(high, 0, window)
        keep = ((high - low) >= 5).all(1) & ((high - low).prod(1) > 0.3 * area)
        return cut, np.hstack([rows[keep, :1], low[keep], high[keep]])


def _tiles(pictures: _Pictures, image_size: int, tile: int) -> Iterator[_Piece]:
    """Two squares out of each picture, most around an object, about at the scale of `image_size`."""
    random = pictures.random
    for path in pictures.paths:
        picture, rows = pictures.read(path)
        for piece in range(2):
            scale = image_size / max(picture.shape[:2]) * float(np.exp(random.uniform(-0.35, 0.3)))
            around = random.uniform(0, 1, 2)
            if len(rows) and random.random() < 0.85:
                around = rows[int(random.integers(len(rows))), 1:3]
            size = np.array(picture.shape[1::-1]) * scale
            around = around + random.uniform(-0.35, 0.35, 2) * tile / size
            cut, boxes = pictures.window(picture, rows, scale, (tile, tile), around)
            yield f"{path.stem}_{piece}", cut, boxes


def _pairs(pictures: _Pictures, image_size: int) -> Iterator[_Piece]:
    """Squares of `image_size` with two pictures each, one above the other, each twice and with another each time."""
    random, half = pictures.random, image_size // 2
    for turn in range(2):
        order = random.permutation(len(pictures.paths))
        for upper, lower in zip(order[::2], order[1::2], strict=False):
            piece = np.full((2 * half, image_size, 3), 114, np.uint8)
            boxes = []
            for place, which in enumerate((upper, lower)):
                picture, rows = pictures.read(pictures.paths[int(which)])
                scale = image_size / max(picture.shape[:2]) * float(np.exp(random.uniform(-0.15, 0.15)))
                cut, box = pictures.window(picture, rows, scale, (image_size, half), random.uniform(0, 1, 2))
                piece[place * half : place * half + cut.shape[0], : cut.shape[1]] = cut
                boxes.append(box + np.array([0, 0, place * half, 0, place * half]))
            yield f"{turn}_{pictures.paths[int(upper)].stem}", piece, np.concatenate(boxes)


def _write_pieces(folder: Path, pieces: Iterable[_Piece]) -> None:
    """Write pieces as a data set in YOLO's layout."""
    images, labels = folder / "images" / "train", folder / "labels" / "train"
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    for name, picture, boxes in pieces:
        (images / f"{name}.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
        size = np.tile([picture.shape[1], picture.shape[0]], 2)
        shares = np.hstack([(boxes[:, 1:3] + boxes[:, 3:5]) / 2, boxes[:, 3:5] - boxes[:, 1:3]]) / size
        lines = [f"{int(c)} " + " ".join(f"{v:.6f}" for v in row) for c, row in zip(boxes[:, 0], shares, strict=True)]
        (labels / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    (folder / "one.txt").write_text(f"{min(images.glob('*.jpg')).resolve()}\n")


def _recipe(
    data: Path,
    folder: Path,
    image_size: int,
    epochs: int,
    batch: int,
    rate: float,
    seed: int,
    workers: int,
    device: str,
) -> dict[str, Any]:
    return {
        "data": str(data),
        "imgsz": image_size,
        "epochs": epochs,
        "batch": batch,
        "seed": seed,
        "workers": workers,
        "device": device,
        "project": str(folder),
        "name": "run",
        "exist_ok": True,
        "optimizer": "AdamW",
        "lr0": rate,
        "lrf": 0.02,
        "cos_lr": True,
        "warmup_epochs": 1.0,
        "weight_decay": 0.0005,
        "mosaic": 0.0,
        "scale": 0.3,
        "degrees": 2.0,
        "val": False,
        "hsv_s": 0.5,
        "hsv_v": 0.35,
        "cache": "ram",
        "amp": False,
        "plots": False,
        "save_period": -1,
        "deterministic": True,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m detection.train", description="Train a small YOLO from scratch.")
    parser.add_argument("--data", type=Path, required=True, help="folder with data.yaml, images/ and labels/")
    parser.add_argument("--output", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument("--width", type=float, default=0.125, help="width multiplier; 0.25 is YOLO11n (default 0.125)")
    parser.add_argument("--depth", type=float, default=0.5, help="depth multiplier; 0.5 is YOLO11n (default 0.5)")
    parser.add_argument("--image-size", type=int, default=640, help="longer side of a picture in pixels (default 640)")
    parser.add_argument("--tile", type=int, default=320, help="side of the training tiles in pixels (default 320)")
    parser.add_argument("--whole", action="store_true", help="train on pairs of nearly whole pictures, not on tiles")
    parser.add_argument("--epochs", type=int, default=14, help="passes over the data (default 14)")
    parser.add_argument("--batch", type=int, default=16, help="pictures per forward pass (default 16)")
    parser.add_argument("--accumulate", type=int, help="pictures per optimiser step (default: the batch)")
    parser.add_argument("--rate", type=float, default=0.002, help="peak learning rate (default 0.002)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--threads", type=int, help="torch threads (default: one per core)")
    parser.add_argument("--workers", type=int, default=0, help="processes that load pictures (default 0)")
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU (default cpu)")
    parser.add_argument("--start", type=Path, help="where to start: a checkpoint of an earlier training, or its .onnx")
    parser.add_argument("--work", type=Path, help="folder for checkpoints (default: temporary)")
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint in --work")
    arguments = vars(parser.parse_args(argv))
    metrics = train(arguments.pop("data"), arguments.pop("output"), **arguments)
    sys.stdout.write(" ".join(f"{name} {value:.4f}" for name, value in metrics.items()) + "\n")
    return 0


def _command() -> int:
    try:
        return main()
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(_command())
