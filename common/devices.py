"""Devices and precisions: their names, and which ones this machine supports.

Torch and OpenVINO take seconds to import; nothing here imports them until it is asked about hardware.
"""

from __future__ import annotations

import hashlib
import platform
import re
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, cast

from common.errors import InputError
from common.files import write_text
from common.nearest import nearest

Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bfloat16", "float16", "int8")
_SPELLINGS = {"fp32": "float32", "f32": "float32", "bf16": "bfloat16", "fp16": "float16", "f16": "float16"}
_SPELLINGS |= {"half": "float16", "i8": "int8"} | {name: name for name in PRECISIONS}
_DEVICE = re.compile(r"cpu|cuda(:\d+)?")


def normalise_precision(name: str) -> Precision:
    """The canonical name of a precision.

    Args:
        name: one of `PRECISIONS`, or fp32, f32, bf16, fp16, f16, half, i8; upper or lower case.

    Raises:
        InputError: an unknown precision.

    >>> normalise_precision("bf16")
    'bfloat16'
    """
    known = _SPELLINGS.get(str(name).lower())
    if known is None:
        raise InputError(f"precision {name!r} is unknown{nearest(str(name), PRECISIONS)}")
    return cast(Precision, known)


def choose_device(name: str = "auto", *, local_rank: int | None = None) -> str:
    """A device that exists: `auto` becomes a GPU if there is one, else the CPU; other names are checked.

    Args:
        name: "auto", "cpu", "cuda" or "cuda:1".
        local_rank: the number of this process among those that share the machine: "auto" is the GPU of that number.

    Raises:
        InputError: an unknown device, or one that this machine does not have.

    >>> choose_device("cpu")
    'cpu'
    """
    if name != "auto" and not _DEVICE.fullmatch(name):
        raise InputError(f"device {name!r} is unknown; there are auto, cpu, cuda, cuda:NUMBER")
    if name == "cpu" or (name == "auto" and not gpu_driver_is_here()):
        return "cpu"
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cpu" if not count else "cuda" if local_rank is None else f"cuda:{local_rank}"
    if int(name.partition(":")[2] or 0) >= count:
        raise InputError(f"device {name!r}: torch finds {count or 'no'} GPUs here; use auto or cpu")
    return name


def gpu_driver_is_here() -> bool:
    """Whether this machine may have a GPU, found without importing torch: without a driver it has none."""
    if platform.system() != "Linux":
        return True
    return any(Path("/dev").glob("nvidia[0-9]*")) or any(Path("/dev", name).exists() for name in ("dxg", "kfd"))


def precisions_of(device: str) -> tuple[Precision, ...]:
    """The precisions that a device computes in: the CPU through OpenVINO, a GPU through torch.

    Args:
        device: "cpu", or a GPU of `choose_device`.
    """
    if device == "cpu":
        offered: list[Precision] = ["float32"]
        if "BF16" in _cpu_capabilities():
            offered.append("bfloat16")
        if "FP16" in _cpu_capabilities():
            offered.append("float16")
        return (*offered, "int8")
    import torch

    if torch.cuda.is_bf16_supported():
        return ("float32", "bfloat16", "float16")
    return ("float32", "float16")


def require_precision(precision: Precision, device: str) -> None:
    """Check that a device computes in a precision.

    Raises:
        InputError: it does not; the message lists those that it does.
    """
    offered = precisions_of(device)
    if precision not in offered:
        where = "this CPU" if device == "cpu" else device
        raise InputError(f"precision {precision}: {where} does not compute in it; use {' or '.join(offered)}")


def fastest_cpu_precision(kept: Path | None = None) -> Precision:
    """bfloat16 where this CPU computes in it (AVX512-BF16, AMX), else float32.

    Args:
        kept: a folder that keeps the answer for this kind of processor: only OpenVINO knows it, and takes a second to
            say so. None: it is asked.
    """
    if kept is None:
        return _ask_for_precision()
    file = kept / f"precision-{_processor()}.txt"
    if file.is_file() and (known := file.read_text(encoding="ascii").strip()) in ("bfloat16", "float32"):
        return cast(Precision, known)
    answer = _ask_for_precision()
    with suppress(OSError):  # a folder that cannot be written is reported where a result is lost by it
        write_text(file, answer)
    return answer


def _ask_for_precision() -> Precision:
    return "bfloat16" if "bfloat16" in precisions_of("cpu") else "float32"


@cache
def _processor() -> str:
    """A short name of this kind of processor, with the version of OpenVINO, which has to know it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = [platform.processor(), platform.node()]
    telling = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU ")
    known = sorted({line for line in lines if line.startswith(telling)}) or lines
    return hashlib.blake2b("\n".join([version("openvino"), *known]).encode(), digest_size=8).hexdigest()


@cache
def openvino_core() -> Any:
    """The one OpenVINO core of this process, kept until it ends.

    Its CPU plugin gives the calling thread a stack for signals, and takes that memory back with the last core: a signal
    that arrives afterwards (a child's end, Ctrl-C) would crash the process.
    """
    import openvino

    return openvino.Core()


@cache
def _cpu_capabilities() -> frozenset[str]:
    return frozenset(openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
