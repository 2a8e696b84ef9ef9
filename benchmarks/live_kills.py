"""Kills processes of a replay in live mode at random moments, and checks that nothing is lost or doubled.

    python benchmarks/live_kills.py --kills 20
    python benchmarks/live_kills.py --kills 2 --vehicles 6    # a smoke test

A drawn scene (coloured boxes on two cameras, in which the detector and the extractor of the tests find their way, so
that a start takes seconds) is replayed by `python -m mtmc.live` without dropping frames. At random moments, also while
it starts, the parent (which writes the store), the process of a camera, or all of them at once (as when the power
fails) get SIGKILL; a dead parent is started again on the same store. Replays follow each other until there were enough
kills. Each row of the table is a replay, compared with one that nobody disturbed:

- seq: events whose number is missing or doubled; twice: tracks that were opened, closed or final more than once; open:
  tracks that were opened and never closed or never final;
- reused: identity numbers that came back after they had become another's alias, or stand for two vehicles where the
  undisturbed replay has none that does;
- lines: events that standard output lacks, over all starts; again: those that came twice, which is allowed where a
  process was killed between sending and noting that it had;
- boxes: boxes of the undisturbed replay that were seen again; of the others, unseen are those of tracks that a kill cut
  or that lay in frames which nobody looked at;
- differ: boxes seen in both whose final identities group them differently.

With --stops N, SIGTERM is sent N times at random moments to replays at the speeds max and 1 in turn: each must end with
status 0 within 5 s (on a loaded machine: with less than 2.5 CPU seconds), with every event that it printed in its store
and every track closed.

With --full-disk KB the replay runs once more in a file system of that size, which grows by as much whenever the replay
ended because it was full: it must end with status 2 and one line that names the path. That needs root, to mount it.

Exit status 1 if anything but again and unseen is not 0, or if more than 2 s of boxes are unseen for each kill.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl

from mtmc.online.archive import Archive
from mtmc.online.store import Record, Store
from tests.mtmc.online.scenes import write_scene

SCENES = Path(__file__).resolve().parents[1] / "tests" / "mtmc" / "online" / "scenes.py"
RATE = 10.0
"""Frames a second of the scene."""
UNSEEN_SECONDS = 2.0
"""Seconds of boxes that a kill may cost: what was not reported yet, and what is left of a track that it cut."""
STOP_SECONDS = 5.0
"""Seconds in which a replay has to end after SIGTERM."""
TARGETS = ("parent", "camera", "everything")


@dataclass
class Start:
    """A process of `mtmc.live`, the events that it printed, and the processes of its cameras."""

    process: subprocess.Popen[str]
    printed: list[int] = field(default_factory=list)
    thread: threading.Thread | None = None

    @classmethod
    def of(cls, scene: Path, store: Path, stderr: int | None = None, speed: str = "max") -> Start:
        """Start a replay."""
        command = [sys.executable, "-m", "mtmc.live", "--replay", str(scene), "--speed", speed, "--store", str(store)]
        networks = ["--detector", f"{SCENES}:BrightBoxes", "--reid", f"{SCENES}:MeanColour", "--quiet"]
        process = subprocess.Popen(
            [*command, *networks], stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True
        )
        start = cls(process)
        start.thread = threading.Thread(target=start._read, daemon=True)
        start.thread.start()
        return start

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.printed.append(json.loads(line)["seq"])

    def cameras(self) -> list[int]:
        """The processes of its cameras, which are its children that were spawned to work."""
        try:
            found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            return [int(p) for p in found if "spawn_main" in Path(f"/proc/{p}/cmdline").read_text()]
        except OSError:
            return []

    def kill(self, target: str, rng: np.random.Generator) -> str:
        """Kill; returns what was hit, "" if it is gone already."""
        cameras = self.cameras()
        if self.process.poll() is not None or (target == "camera" and not cameras):
            return ""
        if target == "camera":
            os.kill(int(rng.choice(cameras)), signal.SIGKILL)
        elif target == "parent":
            self.process.kill()
        else:
            os.killpg(self.process.pid, signal.SIGKILL)
        return target

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None if it has not ended by then."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        if self.thread is not None:
            self.thread.join()
        return status


def boxes_of(folder: Path) -> pl.DataFrame:
    """All boxes of a store with the final identity of their tracks."""
    store = Store(folder, read_only=True)
    archive = Archive(store)
    boxes = pl.concat([archive.tracks(hour) for hour in archive.hours()])
    rows = [(row[0], row[1], row[8]) for row in store.tracks() if row[9]]
    final = pl.DataFrame(rows, schema={"camera": pl.String, "track": pl.Int32, "identity": pl.Int64}, orient="row")
    return boxes.join(final, on=["camera", "track"])


def compare(whole: pl.DataFrame, found: pl.DataFrame) -> tuple[int, int]:
    """Boxes of an undisturbed replay that are missing, and those whose identities group them differently."""
    key = ["camera", "frame", "left", "top"]
    rounded = [table.with_columns(pl.col("left").round(0), pl.col("top").round(0)) for table in (whole, found)]
    pairs = rounded[0].join(rounded[1], on=["camera", "frame"], suffix="_other")
    pairs = pairs.filter((pl.col("left") - pl.col("left_other")).abs() < 12)
    seen = pairs.unique(key)
    together = seen.group_by("identity", "identity_other").len().sort("len", descending=True)
    # Each identity of one corresponds to the one of the other with which it shares most, and the reverse.
    one = together.unique("identity", keep="first", maintain_order=True)
    both = one.unique("identity_other", keep="first", maintain_order=True)
    return len(whole) - len(seen), len(seen) - int(both["len"].sum())


def check_log(events: Sequence[Record]) -> dict[str, int]:
    """What is wrong in a log."""
    numbers = [event.seq for event in events]
    once = Counter((e.kind, e.camera, e.track) for e in events if e.kind in ("opened", "closed", "final"))
    tracks = {kind: {(e.camera, e.track) for e in events if e.kind == kind} for kind in ("opened", "closed", "final")}
    dropped = {(e.camera, e.track) for e in events if e.kind == "closed" and e.content["reason"] == "no vehicle"}
    alias: set[int] = set()
    reused = 0
    for event in events:
        reused += event.identity in alias
        if event.kind == "merged":
            alias.add(int(event.content["other"]))
    return {
        "seq": len(set(range(1, len(numbers) + 1)) ^ set(numbers)) + len(numbers) - len(set(numbers)),
        "twice": sum(count > 1 for count in once.values()),
        "open": len(tracks["opened"] - tracks["closed"]) + len(tracks["closed"] - tracks["final"] - dropped),
        "reused": reused,
    }


def disturbed(
    scene: Path, store: Path, kills: int, seconds: float, rng: np.random.Generator
) -> tuple[Counter[str], list[int]]:
    """A replay with at most some kills, each within some seconds after the latest start or kill; until it has ended."""
    hits: Counter[str] = Counter()
    printed: list[int] = []
    start = Start.of(scene, store)
    while True:
        last = hits.total() >= kills
        status = start.wait(600.0 if last else float(rng.uniform(0.0, seconds)))
        if status is None and not last:
            target = start.kill(str(rng.choice(TARGETS)), rng)
            hits[target] += bool(target)
            if target in ("parent", "everything"):
                status = start.wait(60.0)
        if status is None:
            if last:
                start.process.kill()
                raise SystemExit("the replay does not end")
            continue
        printed += start.printed
        if status == 0:
            return +hits, printed
        if status != -signal.SIGKILL:
            raise SystemExit(f"the replay ended with status {status}")
        start = Start.of(scene, store)


def crammed(scene: Path, folder: Path, kilobytes: int) -> tuple[int, list[int]]:
    """A replay on a disk that is too small, and grows whenever it was full; until it has ended."""
    folder.mkdir()
    printed: list[int] = []
    size, times = kilobytes, 0
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)], check=True)
    try:
        while True:
            start = Start.of(scene, folder / "store", stderr=subprocess.PIPE)
            status = start.wait(900.0)
            printed += start.printed
            if status == 0:
                shutil.copytree(folder / "store", folder.parent / "full-disk-store")
                return times, printed
            assert start.process.stderr is not None
            said = start.process.stderr.read()
            print(f"  {size} kB: status {status}: {said.strip()}", flush=True)
            if status != 2 or said.count("\n") != 1 or str(folder) not in said:
                raise SystemExit("a full disk must end with status 2 and one line that names the path")
            size, times = size + kilobytes, times + 1
            subprocess.run(["mount", "-o", f"remount,size={size}k", str(folder)], check=True)
    finally:
        subprocess.run(["umount", str(folder)], check=False)


def judge(store: Path, whole: pl.DataFrame, printed: Sequence[int], kills: int) -> tuple[bool, str]:
    """Whether anything is wrong with a replay, and its row of the table."""
    events = Store(store, read_only=True).events()
    wrong = check_log(events)
    wrong["lines"] = len({event.seq for event in events} - set(printed))
    unseen, wrong["differ"] = compare(whole, boxes_of(store))
    words = [wrong[key] for key in ("seq", "twice", "open", "reused", "lines")]
    row = (
        f" {len(events):7} {words[0]:5}{words[1]:6}{words[2]:5}{words[3]:7}{words[4]:6}"
        f"{len(printed) - len(set(printed)):6} {len(whole) - unseen:6}{unseen:7}{wrong['differ']:7}"
    )
    return any(wrong.values()) or unseen > UNSEEN_SECONDS * RATE * kills * 2, row


def cpu_of_children() -> float:
    """CPU seconds of the processes that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_of(process: int) -> float:
    """CPU seconds of a process and of those that it waited for, so far."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(word) for word in words[11:15]) / os.sysconf("SC_CLK_TCK")


def stopped(scene: Path, store: Path, speed: str, rng: np.random.Generator) -> tuple[float, float, bool]:
    """Seconds that a replay takes to end after SIGTERM, CPU seconds of its processes in them, and whether all is
    stored."""
    children = cpu_of_children()
    start = Start.of(scene, store, speed=speed)
    while not start.printed and start.process.poll() is None:
        time.sleep(0.01)
    time.sleep(float(rng.uniform(0.0, 5.0)))
    cpu = children + sum(cpu_of(process) for process in (start.process.pid, *start.cameras()))
    begin = time.monotonic()
    start.process.send_signal(signal.SIGTERM)
    status = start.wait(120.0)
    seconds, cpu = time.monotonic() - begin, cpu_of_children() - cpu
    events = Store(store, read_only=True).events()
    wrong = check_log(events)
    tracks = [{(e.camera, e.track) for e in events if e.kind == kind} for kind in ("opened", "closed")]
    stored = [event.seq for event in events] == start.printed and tracks[0] == tracks[1]
    return seconds, cpu, status == 0 and stored and not (wrong["seq"] or wrong["twice"])


def main() -> int:
    """Kill, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--vehicles", type=int, default=14, help="in the scene, each past two cameras (default: 14)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stops", type=int, default=0, help="also end the program by SIGTERM this often (default: 0)")
    parser.add_argument("--full-disk", type=int, metavar="KB", help="also on a disk of that size, which grows")
    parser.add_argument("--each", type=int, default=5, help="largest number of kills of one replay (default: 5)")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    bad, left, hits = 0, arguments.kills, Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = write_scene(folder / "scene", cameras=2, vehicles=arguments.vehicles, gap=3.0, irregular=3.0)
        begin = time.monotonic()
        start = Start.of(scene, folder / "whole")
        if start.wait(900.0) != 0:
            raise SystemExit("the undisturbed replay failed")
        seconds = time.monotonic() - begin
        whole = boxes_of(folder / "whole")
        print(f"undisturbed: {len(start.printed)} events, {len(whole)} boxes, {seconds:.0f} s", flush=True)
        print("kills (parent/camera/everything)  events  seq twice open reused lines again  boxes unseen differ")
        for number in range(arguments.kills):
            if left <= 0:
                break
            found, printed = disturbed(scene, folder / f"{number}", min(left, arguments.each), 0.4 * seconds, rng)
            left -= found.total()
            hits += found
            wrong, row = judge(folder / f"{number}", whole, printed, found.total())
            bad += wrong
            print(f"{'/'.join(str(found[target]) for target in TARGETS):>32}{row}", flush=True)
        for number in range(arguments.stops):
            speed = ("max", "1")[number % 2]
            seconds, cpu, fine = stopped(scene, folder / f"stop-{number}", speed, rng)
            bad += not fine or (seconds > STOP_SECONDS and cpu > STOP_SECONDS / 2)
            print(
                f"SIGTERM at speed {speed}: {seconds:.2f} s ({cpu:.2f} CPU s), {'all' if fine else 'NOT ALL'} stored",
                flush=True,
            )
        if arguments.full_disk:
            times, printed = crammed(scene, folder / "full", arguments.full_disk)
            wrong, row = judge(folder / "full-disk-store", whole, printed, times)
            bad += wrong
            print(f"{f'{times} times full':>32}{row}", flush=True)
    print(
        f"{hits.total()} kills ({', '.join(f'{hits[target]} {target}' for target in TARGETS)}), seed {arguments.seed}"
    )
    print("nothing was lost or doubled" if not bad else f"{bad} replays are wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
