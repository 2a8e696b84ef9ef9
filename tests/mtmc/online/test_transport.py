from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import InputError
from mtmc.online.store import Record, Store
from mtmc.online.transport import (
    KafkaTransport,
    LinesTransport,
    Outbox,
    QueueTransport,
    RedisTransport,
    Transport,
    TransportError,
)

from .conftest import free_port


class FakeProducer:
    """What `confluent_kafka.Producer` does: delivers on flush, and tells of each message."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, str | None, bytes, Callable[..., None]]] = []
        self.delivered: list[bytes] = []
        self.keys: list[str | None] = []
        self.down = False

    def produce(self, topic: str, *, key: str | None, value: bytes, on_delivery: Callable[..., None]) -> None:
        self.waiting.append((topic, key, value, on_delivery))

    def flush(self, timeout: float) -> int:
        waiting, self.waiting = self.waiting, []
        for _, key, value, told in waiting:
            if self.down:
                told("broker rtsp://u:hunter2@h is down", None)
            else:
                self.delivered.append(value)
                self.keys.append(key)
                told(None, value)
        return 0


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    pytest.importorskip("redis", reason="the package redis is not installed")
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    yield port
    process.kill()
    process.wait()


@pytest.fixture(params=["queue", "lines", "kafka", "redis"])
def transport(request: pytest.FixtureRequest) -> tuple[Transport, Callable[[], list[dict[str, Any]]]]:
    """A transport, and what has arrived at its other side."""
    if request.param == "queue":
        queued = QueueTransport()
        return queued, lambda: [record.as_dict() for record in list(queued.events.queue)]
    if request.param == "lines":
        stream = io.StringIO()
        return LinesTransport(stream), lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    if request.param == "kafka":
        producer = FakeProducer()
        return KafkaTransport("events", producer=producer), lambda: [json.loads(v) for v in producer.delivered]
    port = request.getfixturevalue("redis_port")
    stream = RedisTransport(f"redis://127.0.0.1:{port}", "mtmc")
    client = stream._client
    return stream, lambda: [json.loads(entry[b"event"]) for _, entry in client.xrange("mtmc")]


def fill(store: Store, count: int) -> None:
    with store.transaction():
        for track in range(count):
            store.add_event(0.5, "opened", identity=None, camera="gate", track=track, content={"reason": "new"})


def test_every_transport_gets_every_event_once_in_order_and_goes_on_after_a_restart(
    transport: tuple[Transport, Callable[[], list[dict[str, Any]]]], tmp_path: Path
) -> None:
    sender, arrived = transport
    store = Store(tmp_path)
    fill(store, 3)
    Outbox(store, [sender]).flush()
    fill(store, 1200)
    Outbox(store, [sender]).flush()  # as after a restart

    events = arrived()
    assert [event["seq"] for event in events] == list(range(1, 1204))
    assert events[2] == {
        "seq": 3,
        "seconds": 0.5,
        "kind": "opened",
        "identity": None,
        "camera": "gate",
        "track": 2,
        "reason": "new",
    }


def test_what_was_not_delivered_is_sent_again_and_holds_nobody_else_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, producer, queued = Store(tmp_path), FakeProducer(), QueueTransport()
    outbox = Outbox(store, [KafkaTransport("events", producer=producer), queued])
    fill(store, 5)
    producer.down = True
    outbox.flush()

    assert list(outbox.problems) == ["kafka:events"]
    assert "hunter2" not in str(outbox.problems)
    assert queued.events.qsize() == 5

    producer.down = False
    outbox.flush()  # too early: an attempt may take its time
    assert list(outbox.problems) == ["kafka:events"]
    monkeypatch.setattr("mtmc.online.transport.time.monotonic", lambda: float("inf"))
    outbox.flush()
    assert outbox.problems == {}
    assert [json.loads(value)["seq"] for value in producer.delivered] == [1, 2, 3, 4, 5]
    assert set(producer.keys) == {"gate"}
    assert queued.events.qsize() == 5


def test_a_new_transport_may_begin_with_the_present(tmp_path: Path) -> None:
    store, queued = Store(tmp_path), QueueTransport()
    fill(store, 5)
    outbox = Outbox(store, [queued], from_now=True)
    fill(store, 1)
    outbox.flush()
    assert [record.seq for record in list(queued.events.queue)] == [6]


def test_a_full_queue_loses_nothing(tmp_path: Path) -> None:
    store, queued = Store(tmp_path), QueueTransport(size=3)
    outbox = Outbox(store, [queued])
    fill(store, 2)
    outbox.flush()
    fill(store, 2)
    outbox.flush()
    assert "full" in outbox.problems["queue"]
    taken = [queued.events.get().seq for _ in range(2)]
    outbox.flush()
    assert taken + [queued.events.get().seq for _ in range(2)] == [1, 2, 3, 4]


def test_redis_recognises_an_event_that_comes_twice(redis_port: int) -> None:
    sender = RedisTransport(f"redis://127.0.0.1:{redis_port}", "mtmc")
    records = [Record(n, 0.5, "opened", None, "gate", n, {}) for n in (1, 2, 3)]
    sender.send(records[:2])
    sender.send(records)
    assert sender._client.xlen("mtmc") == 3


def test_an_unreachable_redis_is_an_outage_without_credentials() -> None:
    pytest.importorskip("redis", reason="the package redis is not installed")
    sender = RedisTransport(f"redis://admin:hunter2@127.0.0.1:{free_port()}", "mtmc")
    with pytest.raises(TransportError) as caught:
        sender.send([Record(1, 0.5, "opened", None, "gate", 1, {})])
    assert "hunter2" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
    with pytest.raises(InputError, match=r"redis://\*\*\*@h.*package redis"):
        RedisTransport("redis://admin:hunter2@h", "mtmc")
    with pytest.raises(InputError, match="confluent-kafka"):
        KafkaTransport("events", "h:9092")
