from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from mtmc.config import make_settings
from mtmc.online.live_site import plan_site
from mtmc.online.redaction import redact
from mtmc.online.site import is_stream, read_site

SECRETS = ("hunter2", "p@ss/w:rd", "pass word", "admin")


def write(folder: Path, text: str) -> Path:
    path = folder / "SITE.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_site_with_streams_and_files(tmp_path: Path) -> None:
    (tmp_path / "bridge.mp4").write_bytes(b"")
    path = write(
        tmp_path,
        "name: crossing\nframe_rate: 8\ncameras:\n"
        "  gate: rtsp://admin:hunter2@10.0.0.5/1\n"
        "  bridge: {source: bridge.mp4, frame_rate: 5, clock_offset: -1.5}\n",
    )

    file = read_site(path)

    assert file.address("gate") == "rtsp://admin:hunter2@10.0.0.5/1"
    assert file.address("bridge") == str(tmp_path / "bridge.mp4")
    assert file.site.cameras["bridge"].frame_rate == 5
    assert file.site.cameras["gate"].source == "rtsp://***@10.0.0.5/1"
    assert file.store == tmp_path / "live"


def test_nothing_that_is_printed_of_a_site_holds_credentials(tmp_path: Path) -> None:
    file = read_site(write(tmp_path, "name: a\ncameras:\n  gate: rtsp://admin:hunter2@10.0.0.5/1?pwd=hunter2\n"))

    printed = f"{file!r} {file} {file.site!r} {file.site.model_dump_json()}"

    assert "hunter2" not in printed
    assert "admin" not in printed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cameras: {gate: 'rtsp://a/1'}\n", ("key 'name'",)),
        ("name: a\n", ("key 'cameras'",)),
        ("name: a\ncameras: {}\n", ("key 'cameras'",)),
        ("name: a/b\ncameras: {gate: 'rtsp://a/1'}\n", ("a/b", "letters")),
        ("name: a\ncameras: {'../x': 'rtsp://a/1'}\n", ("../x", "letters")),
        ("name: a\nframe_rat: 5\ncameras: {gate: 'rtsp://a/1'}\n", ("frame_rat", "did you mean frame_rate")),
        ("name: a\ncameras: {gate: {source: 'rtsp://a/1', frame_rate: 0}}\n", ("cameras.gate.frame_rate",)),
        ("name: a\ncameras: {gate: {source: 'rtsp://a/1', frame_rate: .nan}}\n", ("cameras.gate.frame_rate",)),
        ("name: a\ncameras: {gate: {source: 'rtsp://a/1', roi: mask.png}}\n", ("cameras.gate.roi", "mask.png")),
        ("name: a\ncameras: {gate: {source: 'rtsp://a/1', roi: SITE.yaml}}\n", ("SITE.yaml", "as a picture")),
        ("name: a\ncameras: {gate: {source: 'rtsp://a/1', size: [640, 0]}}\n", ("cameras.gate.size", "0")),
        ("name: a\nlinks: links.yaml\ncameras: {gate: 'rtsp://a/1'}\n", ("key 'links'", "links.yaml")),
        ("name: a\nconstraints: k.yaml\ncameras: {gate: 'rtsp://a/1'}\n", ("key 'constraints'", "k.yaml")),
        ("name: a\ncameras: {gate: missing.mp4}\n", ("cameras.gate.source", "missing.mp4")),
        ("name: a\ncameras: {gate: 'ftp://a/1'}\n", ("cameras.gate.source", "rtsp")),
        ("name: a\ncameras: [gate\n", (":3", "not YAML")),
        ("- 1\n", ("key: value",)),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    path = write(tmp_path, text)

    with pytest.raises(InputError) as caught:
        read_site(path)

    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    for word in words:
        assert word in line


def test_a_missing_site_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml: no such site file"):
        read_site(tmp_path / "nothing.yaml")


def test_a_camera_has_the_extractor_of_the_others_or_none(tmp_path: Path) -> None:
    cameras = "cameras:\n  a: {source: 'rtsp://a/1', extractor: none}\n  b: rtsp://b/1\n  c: {source: 'rtsp://c/1'%s}\n"

    file = read_site(write(tmp_path, "name: x\nextractor: ssbver\n" + cameras % ""))
    assert [file.extractor(name) for name in "abc"] == ["none", "ssbver", "ssbver"]
    with pytest.raises(InputError, match=r"cameras\.c\.extractor': features of baseline cannot be .* of ssbver"):
        read_site(write(tmp_path, "name: x\nextractor: ssbver\n" + cameras % ", extractor: baseline"))


def test_the_password_of_redis_is_not_printed(tmp_path: Path) -> None:
    text = "name: a\ncameras: {gate: 'rtsp://a/1'}\nredis: redis://me:hunter2@h/0\n"

    file = read_site(write(tmp_path, text))

    assert file.redis == "redis://me:hunter2@h/0"
    assert "hunter2" not in f"{file!r} {file.site!r} {plan_site(file, make_settings({}), 0.0)!r}"


def test_settings_of_the_window(tmp_path: Path) -> None:
    text = "name: a\ncameras: {gate: 'rtsp://a/1'}\nwindow: {%s: 2}\n"

    assert read_site(write(tmp_path, text % "settle_seconds")).site.window.settle_seconds == 2
    with pytest.raises(InputError, match=r"unknown key 'window.settle'; did you mean settle_seconds"):
        read_site(write(tmp_path, text % "settle"))


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "text",
    [
        "name: a\ncameras: {{gate: {{sourc: 'rtsp://admin:{0}@10.0.0.5/1'}}}}\n",  # the whole entry is refused
        "name: a\ncameras: 'rtsp://admin:{0}@10.0.0.5/a/long/path/that/goes/on/and/on/beyond/eighty/characters'\n",
        "name: a\ncameras: ['rtsp://admin:{0}@10.0.0.5/1']\n",
        "name: 'rtsp://admin:{0}@10.0.0.5/1'\ncameras: {{gate: 'rtsp://a/1'}}\n",
        "name: a\ncameras: {{gate: 'ftp://admin:{0}@10.0.0.5/1'}}\n",
        "name: a\ncameras: {{gate: 'rtsp://admin:{0}@10.0.0.5/1 2'}}\n",
        "name: a\ncameras:\n  gate: 'rtsp://admin:{0}@10.0.0.5/1\n",  # the quote is not closed
        "name: a\ncameras: {{gate: {{source: 'rtsp://admin:{0}@10.0.0.5/1', roi: 7}}}}\n",
    ],
)
def test_no_error_line_holds_credentials(tmp_path: Path, text: str, secret: str) -> None:
    path = write(tmp_path, text.format(secret))

    with pytest.raises(InputError) as caught:
        read_site(path)

    chain: BaseException | None = caught.value
    assert secret not in str(chain)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("[tcp @ 0x1] rtsp://u:p@h:1/x: refused", "[tcp @ 0x1] rtsp://***@h:1/x: refused"),
        ("Input/output error: 'http://h/v?user=u&pwd=p'", "Input/output error: 'http://h/v?***'"),
        ("rtsp://u:p@h/a and rtsps://v:q@i/b", "rtsp://***@h/a and rtsps://***@i/b"),
        ("rtsp://u:it's?@h/a failed", "rtsp://***@h/a failed"),
        ("rtsp://h:554/x", "rtsp://h:554/x"),
        ("a@b.example wrote", "a@b.example wrote"),
    ],
)
def test_redaction(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_an_exception_is_redacted_too() -> None:
    assert "hunter2" not in redact(OSError(5, "cannot open", "rtsp://admin:hunter2@h/1"))


def test_what_counts_as_a_stream() -> None:
    assert is_stream("RTSP://h/1")
    assert is_stream("https://h/1.m3u8")
    assert not is_stream("C:/videos/gate.mp4")
    assert not is_stream("file:///gate.mp4")
