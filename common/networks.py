"""Reading networks from ONNX and OpenVINO files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common.devices import openvino_core
from common.errors import InputError

_REASON_LENGTH = 160


def read_network_file(path: Path) -> Any:
    """An `openvino.Model` from a `.xml` (with its `.bin` beside it) or an `.onnx`.

    Raises:
        InputError: the file is damaged or no such network.
    """
    from openvino.frontend import (
        FrontEndManager,
        GeneralFailure,
        InitializationFailure,
        NotImplementedFailure,
        OpConversionFailure,
        OpValidationFailure,
    )

    failures = (
        GeneralFailure,
        InitializationFailure,
        NotImplementedFailure,
        OpConversionFailure,
        OpValidationFailure,
    )
    try:
        if path.suffix.lower() == ".onnx":
            # Left to itself, OpenVINO tries damaged files as other formats too, and writes what each of them says.
            reader = FrontEndManager().load_by_framework("onnx")
            model = reader.convert(reader.load(str(path)))
        else:
            model = openvino_core().read_model(path)
    except (RuntimeError, ValueError, *failures) as error:  # ValueError: names in a damaged file that are no text
        raise InputError(f"{path}: not a readable network ({openvino_reason(error)}); export it again") from error
    if not model.inputs or not model.outputs:  # what is left of some damaged files
        raise InputError(f"{path}: not a readable network (it has no input or no output); export it again")
    return model


def openvino_reason(error: Exception) -> str:
    """The last line of what OpenVINO says, which is the one about the matter itself; it begins with its own files.

    >>> openvino_reason(RuntimeError("src/core.cpp:84: Exception from\\n  Unable to read the model\\n"))
    'Unable to read the model'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{lines[-1]:.{_REASON_LENGTH}}" if lines else type(error).__name__
