"""What reading a damaged checkpoint raises."""

from __future__ import annotations

import pickle
import struct
import zipfile

DAMAGED_CHECKPOINT: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)
"""What `torch.load(..., weights_only=True)` raises for bytes that are no checkpoint. Its restricted unpickler runs
nothing of the file, and checks little of what it reads: a flipped bit may take from an empty stack or name a tensor
that is not there."""
