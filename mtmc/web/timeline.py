"""All passages as one compact block of bytes, from which the page draws what is in view.

Little-endian: uint32 number of passages n, then the columns one after the other: float32 start (n), float32 end (n),
int32 identity (n), int32 row (n), uint16 camera (n); sorted by the start of the identity, then by identity and start. A
hundred thousand vehicles of three passages are 5.4 MB.
"""

from __future__ import annotations

import numpy as np

from mtmc.web.identity_index import IdentityIndex


def pack(index: IdentityIndex) -> bytes:
    """The block of bytes."""
    p = index.passages
    owner = np.repeat(np.arange(len(index)), np.diff(index.begin))
    order = index.order[np.argsort(index.start[owner], kind="stable")]  # within an identity they are in order
    columns = [
        p.start[order].astype("<f4"),
        p.end[order].astype("<f4"),
        index.identity[order].astype("<i4"),
        order.astype("<i4"),
        p.camera[order].astype("<u2"),
    ]
    return len(order).to_bytes(4, "little") + b"".join(column.tobytes() for column in columns)
