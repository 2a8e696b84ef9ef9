"""ZIP archives as a broken download leaves them."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.zip_archives import read_members

TEXT = {f"labels/img{i}.txt": "\n".join(f"{k},{k * 7 % 13}" for k in range(200)).encode() for i in range(3)}


def _archive(compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in TEXT.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _read(content: bytes, most_bytes: int | None = None) -> dict[str, bytes]:
    return dict(read_members(io.BytesIO(content), lambda name: True, source="labels.zip", most_bytes=most_bytes))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_whole_archives_are_read(compression: int) -> None:
    assert _read(_archive(compression)) == TEXT


@given(
    st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=3),
    st.floats(0, 1),
)
def test_flipped_bits_and_cut_ends_are_told_in_one_line(
    compression: int, flips: list[tuple[float, int]], kept: float
) -> None:
    content = bytearray(_archive(compression))
    for place, bit in flips:
        content[int(place * len(content))] ^= 1 << bit
    if kept > 0.5:
        content = content[: int(kept * len(content))]
    try:
        _read(bytes(content))
    except InputError as error:
        assert str(error).startswith("labels.zip: not a readable zip archive") and "\n" not in str(error)


def test_a_damaged_stream_is_no_traceback() -> None:
    content = bytearray(_archive())
    first = content.index(b"img0.txt") + len(b"img0.txt")
    content[first : first + 8] = b"\xff" * 8
    with pytest.raises(InputError, match="not a readable zip archive"):
        _read(bytes(content))


def test_a_limit_holds_for_what_is_unpacked() -> None:
    with pytest.raises(InputError, match="too large unpacked"):
        _read(_archive(), most_bytes=1000)
