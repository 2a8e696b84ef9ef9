"""The log of a training run: a CSV file with every loss, and TensorBoard events."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from common.errors import InputError

COLUMNS = (
    "step",
    "epoch",
    "total",
    "classification",
    "triplet",
    "self_supervision",
    "center",
    "auxiliary",
    "teacher_entropy",
    "teacher_diversity",
    "learning_rate",
    "teacher_temperature",
    "gradient_norm",
    "images_per_second",
    "seconds",
    "mAP",
    "cmc1",
)
"""Columns of log.csv. Validation rows hold `mAP` and `cmc1`, all other rows the losses."""


class TrainLog:
    """Writes `log.csv` and, optionally, TensorBoard events into a run's folder.

    Args:
        folder: output folder of the run.
        step: step that the run (re)starts from; later rows of a stopped run are dropped.
        tensorboard: also write TensorBoard events.

    Raises:
        InputError: TensorBoard, an optional dependency, is not installed.
    """

    def __init__(self, folder: Path, step: int = 0, tensorboard: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "log.csv"
        kept = [row for row in read_log(path) if int(row["step"]) <= step] if step and path.is_file() else []
        self._file = path.open("w", newline="", encoding="utf-8")
        self._rows = csv.DictWriter(self._file, COLUMNS, restval="")
        self._rows.writeheader()
        self._rows.writerows(kept)
        self._file.flush()
        self._events = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter  # slow to import
            except ModuleNotFoundError as error:
                raise InputError(
                    "TensorBoard is not installed; install mtmc[train], or train with --set run.tensorboard=false"
                ) from error

            self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append a row of `values` by column name; missing columns stay empty."""
        self._rows.writerow({"step": step, **{key: f"{value:.6g}" for key, value in values.items()}})
        self._file.flush()
        if self._events is not None:
            for key, value in values.items():
                self._events.add_scalar(key, value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._events is not None:
            self._events.close()

    def __enter__(self) -> TrainLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_log(path: Path) -> list[dict[str, str]]:
    """Read the rows of a `log.csv` as dictionaries; empty fields are empty strings."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
