"""Handing the events to other programs: an interface, and a queue, Redis streams and Kafka behind it."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Sequence
from typing import Any, Protocol, TextIO

from common.errors import InputError
from mtmc.online.redaction import redact
from mtmc.online.store import Record, Store

PAUSE_SECONDS = 10.0
"""Seconds without an attempt after one failed: one that waits for its time limit at every tick would hold the answers
up. Raising it sends later when the other side is back."""
BATCH = 500
"""Events that are handed over at once. Raising it catches up faster after an outage, and costs memory."""


class TransportError(Exception):
    """The other side cannot be reached at the moment; what was not sent is sent later. Holds no credentials.

    Args:
        text: for the user.
        pause: whether another attempt at once would be in vain, and take its time.
    """

    def __init__(self, text: str, pause: bool = True) -> None:
        super().__init__(text)
        self.pause = pause


class Transport(Protocol):
    """Takes events in the order of their numbers. An event may come twice after a failure: its `seq` tells."""

    @property
    def name(self) -> str:
        """Under which the store keeps how far it is: unique among the transports of a site."""

    def send(self, records: Sequence[Record]) -> None:
        """Hand events over; returns when the other side has them all.

        Raises:
            TransportError: some may not have arrived; the same events will be sent again.
        """


class QueueTransport:
    """Events for a program in the same process.

    >>> transport = QueueTransport()
    >>> transport.send([Record(1, 0.5, "opened", None, "gate", 7, {})])
    >>> transport.events.get().kind
    'opened'
    """

    name = "queue"

    def __init__(self, size: int = 0) -> None:
        """`size` events at most, 0 for no limit; beyond it, sending fails until some were taken."""
        self.events: queue.Queue[Record] = queue.Queue(size)

    def send(self, records: Sequence[Record]) -> None:
        """See `Transport`."""
        if self.events.maxsize and self.events.qsize() + len(records) > self.events.maxsize:
            raise TransportError(f"the queue is full with {self.events.qsize()} events", pause=False)
        for record in records:
            self.events.put_nowait(record)


class LinesTransport:
    """Events as JSON, one a line, on a text stream such as standard output."""

    name = "lines"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, records: Sequence[Record]) -> None:
        """See `Transport`."""
        try:
            self._stream.write("".join(json.dumps(record.as_dict()) + "\n" for record in records))
            self._stream.flush()
        except BrokenPipeError as error:
            raise TransportError("standard output was closed") from error


class RedisTransport:
    """A Redis stream, one entry an event, whose id is `<seq>-0`: an event that comes twice is recognised.

    Args:
        address: redis://[user:password@]host:port/database.
        stream: its key.
        length: entries that Redis keeps, about.

    Raises:
        InputError: the package redis is not installed, or the address is malformed.
    """

    def __init__(self, address: str, stream: str, length: int = 1_000_000) -> None:
        try:
            import redis
        except ImportError as error:
            raise InputError(f"{redact(address)}: needs the package redis; pip install 'mtmc[live]'") from error
        self._stream, self._length, self._errors = stream, length, redis.RedisError
        try:
            self._client: Any = redis.Redis.from_url(address, socket_timeout=2.0, socket_connect_timeout=2.0)
        except ValueError as error:
            raise InputError(f"{redact(address)}: is no address of a Redis server ({redact(error)})") from None
        self.name = f"redis:{stream}"

    def send(self, records: Sequence[Record]) -> None:
        """See `Transport`."""
        try:
            last = self._last()
            pipeline = self._client.pipeline(transaction=False)
            for record in records:
                if record.seq > last:
                    entry = {"kind": record.kind, "event": json.dumps(record.as_dict())}
                    pipeline.xadd(self._stream, entry, id=f"{record.seq}-0", maxlen=self._length, approximate=True)
            pipeline.execute()
        except self._errors as error:
            raise TransportError(f"Redis: {redact(error)}") from None

    def _last(self) -> int:
        newest = self._client.xrevrange(self._stream, count=1)
        if not newest:
            return 0
        identifier = newest[0][0]
        text = identifier.decode() if isinstance(identifier, bytes) else str(identifier)
        return int(text.partition("-")[0])


class KafkaTransport:
    """A Kafka topic, keyed by camera; the value is the event as JSON.

    Args:
        topic: its name.
        servers: host:port, several with commas between.
        producer: a `confluent_kafka.Producer` or what behaves like one; None: made from `servers`.

    Raises:
        InputError: the package confluent-kafka is not installed.
    """

    def __init__(self, topic: str, servers: str = "", producer: Any = None, seconds: float = 2.0) -> None:
        if producer is None:
            try:
                from confluent_kafka import Producer
            except ImportError as error:
                raise InputError(
                    f"kafka {redact(servers)}: needs the package confluent-kafka; pip install confluent-kafka"
                ) from error
            producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "acks": "all"})
        self._topic, self._producer, self._seconds = topic, producer, seconds
        self.name = f"kafka:{topic}"

    def send(self, records: Sequence[Record]) -> None:
        """See `Transport`."""
        failed: list[str] = []

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                failed.append(redact(error))

        try:
            for record in records:
                value = json.dumps(record.as_dict()).encode()
                self._producer.produce(self._topic, key=record.camera, value=value, on_delivery=delivered)
            left = self._producer.flush(self._seconds)
        except Exception as error:  # KafkaException, BufferError: the package need not be installed to name them
            raise TransportError(f"Kafka: {redact(error)}") from None
        if left or failed:
            raise TransportError(f"Kafka: {left or len(failed)} events were not delivered {failed[:1]}")


class Outbox:
    """Sends the event log to transports, each from where it was: nothing is left out, whatever was killed.

    Args:
        store: of the site.
        transports: where to.
        from_now: a transport that is new gets the events from now on, not those of the past.
    """

    def __init__(self, store: Store, transports: Sequence[Transport], from_now: bool = False) -> None:
        self._store, self._transports = store, transports
        self._again: dict[str, float] = {}
        self.problems: dict[str, str] = {}
        """Transport to why it cannot be reached at the moment."""
        if from_now:
            newest = max((r.seq for r in store.events()), default=0)
            for transport in transports:
                if store.meta(_key(transport)) is None:
                    store.set_meta(_key(transport), str(newest))

    def flush(self, batches: int = 4) -> None:
        """Send what is new, at most some batches to each transport."""
        for transport in self._transports:
            if time.monotonic() < self._again.get(transport.name, 0.0):
                continue
            self.problems.pop(transport.name, None)
            for _ in range(batches):
                after = int(self._store.meta(_key(transport)) or 0)
                records = self._store.events(after, BATCH)
                if not records:
                    break
                try:
                    transport.send(records)
                except TransportError as error:
                    self.problems[transport.name] = str(error)
                    self._again[transport.name] = time.monotonic() + (PAUSE_SECONDS if error.pause else 0.0)
                    break
                self._store.set_meta(_key(transport), str(records[-1].seq))


def _key(transport: Transport) -> str:
    return f"sent.{transport.name}"
