"""Answers: solved again in the background, kept, taken back, and never lost."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from mtmc.association.constraints import Constraints, TrackName
from mtmc.association.constraints_file import write_constraints
from mtmc.report.stored_run import CONSTRAINTS
from mtmc.web.correction_log import CorrectionLog, Overtaken
from mtmc.web.session import Session


def solved(session: Session, seconds: float = 60.0) -> None:
    """Wait until the association has been solved with the last answer."""
    end = time.monotonic() + seconds
    while session.solving or session.snapshot.solved < session.log.last:
        assert time.monotonic() < end, session.status()
        time.sleep(0.02)


def together(session: Session, *keys: str) -> bool:
    """Whether all of these passages have one identity."""
    return len({int(session.snapshot.index.identity[session.row_of[key]]) for key in keys}) == 1


def test_without_answers_the_run_is_shown_as_it_was(open_session: Callable[..., Session]) -> None:
    session = open_session(solve=True)
    solved(session)
    assert np.array_equal(session.snapshot.index.identity, session.run.identities.identity)
    assert session.status()["problem"] == ""


def test_one_answer_mends_more_than_it_names(open_session: Callable[..., Session]) -> None:
    session = open_session(solve=True)
    solved(session)
    # The run takes vehicle 1 in camera 3 for vehicle 2: they look alike there.
    assert together(session, "c1/2", "c2/2", "c3/1")
    number = int(session.snapshot.index.identity[session.row_of["c1/2"]])
    session.answer("different", ["c2/2"], ["c3/1"], author="Ada")
    solved(session)
    assert not together(session, "c1/2", "c3/1") and not together(session, "c2/2", "c3/1")
    assert together(session, "c1/2", "c2/2")
    # The larger part keeps its number, so that links and notes about it stay valid.
    assert int(session.snapshot.index.identity[session.row_of["c1/2"]]) == number
    session.answer("same", ["c3/1"], ["c1/1", "c2/1"])
    solved(session)
    assert together(session, "c1/1", "c2/1", "c3/1")
    # Told only where vehicle 1 goes, the association takes it out of vehicle 2 by itself.
    assert not together(session, "c1/2", "c3/1") and together(session, "c1/2", "c2/2")


def test_a_later_session_goes_on_where_the_last_one_ended(open_session: Callable[..., Session]) -> None:
    first = open_session(solve=True)
    first.answer("same", ["c3/1"], ["c1/1"])
    first.answer("not-a-vehicle", ["c3/6"])
    solved(first)
    shown = first.snapshot.index.identity.copy()
    first.close()
    for solve in (False, True):
        second = open_session(solve=solve)
        assert np.array_equal(second.snapshot.index.identity, shown)
        if solve:
            solved(second)
        assert np.array_equal(second.snapshot.index.identity, shown)
        assert second.snapshot.index.identity[second.row_of["c3/6"]] == -1


def test_undo_brings_the_run_back(open_session: Callable[..., Session]) -> None:
    session = open_session(solve=True)
    entry = session.answer("different", ["c1/4"], ["c2/4", "c3/4"])
    solved(session)
    assert not together(session, "c1/4", "c2/4")
    session.undo(entry.seq)
    solved(session)
    assert np.array_equal(session.snapshot.index.identity, session.run.identities.identity)


def test_what_the_run_was_given_is_kept_and_can_be_taken_back(
    open_session: Callable[..., Session], made_run: Path
) -> None:
    given = Constraints.cannot_link(TrackName("c2", 2), TrackName("c3", 1), line=1)
    write_constraints(made_run / CONSTRAINTS, given)
    session = open_session(solve=True)
    solved(session)
    (entry,) = session.log.standing()
    assert (entry.kind, entry.first, entry.second, entry.author) == ("different", ("c2/2",), ("c3/1",), "mtmc.run")
    # The made run does not keep to it; solving again does, from the first answer on.
    assert np.array_equal(session.snapshot.index.identity, session.run.identities.identity)
    session.answer("same", ["c1/4"], ["c2/4"])
    solved(session)
    assert not together(session, "c2/2", "c3/1")
    again = open_session()
    assert [e.seq for e in again.log.standing()] == [1, 2]
    session.undo(1)
    solved(session)
    assert together(session, "c2/2", "c3/1")
    assert [e.seq for e in open_session().log.standing()] == [2]


def test_contradictions_are_refused_before_they_are_logged(open_session: Callable[..., Session]) -> None:
    session = open_session()
    session.answer("same", ["c1/4"], ["c2/4"])
    session.answer("same", ["c2/4"], ["c3/4"])
    with pytest.raises(InputError, match="must-linked by line"):
        session.answer("different", ["c1/4"], ["c3/4"])
    with pytest.raises(InputError, match="named as not-a-vehicle"):
        session.answer("not-a-vehicle", ["c2/4"])
    with pytest.raises(InputError, match="there is no such passage"):
        session.answer("same", ["c1/4"], ["c1/99"])
    assert len(session.log.entries()) == 2


def test_two_people_at_once_lose_nothing(open_session: Callable[..., Session]) -> None:
    session = open_session(solve=True)
    outcomes: list[str] = []

    def annotate(name: str) -> None:
        for track in range(1, 7):
            pair = [f"c1/{track}"], [f"c2/{track}"]
            try:
                session.answer("unsure", *pair, author=name, after=0)
                outcomes.append("taken")
            except Overtaken:
                outcomes.append("overtaken")

    people = [threading.Thread(target=annotate, args=(name,)) for name in ("Ada", "Bob", "Cleo")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    entries = session.log.entries()
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert (outcomes.count("taken"), outcomes.count("overtaken")) == (6, 12)
    assert {entry.first for entry in entries} == {(f"c1/{track}",) for track in range(1, 7)}


def test_answers_of_another_server_on_the_same_run_are_taken_in(open_session: Callable[..., Session]) -> None:
    ours, theirs = open_session(solve=True), open_session(solve=False)
    theirs.answer("different", ["c1/4"], ["c2/4"])
    ours.answer("unsure", ["c1/2"], ["c2/2"])
    assert not together(ours, "c1/4", "c2/4")
    with pytest.raises(InputError, match="must-linked"):
        ours.answer("same", ["c1/4"], ["c2/4"])


def test_the_log_is_append_only(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    log = CorrectionLog(path)
    log.append("same", ["a/1"], ["b/2"], author="  Ada  ", note="x" * 1000)
    (entry,) = log.entries()
    assert entry.author == "Ada" and len(entry.note) == 400
    with sqlite3.connect(path) as connection:
        for change in ("UPDATE entry SET author = 'Eve'", "DELETE FROM entry"):
            with pytest.raises(sqlite3.DatabaseError, match="append-only"):
                connection.execute(change)
    assert CorrectionLog(path).entries() == [entry]


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.write_bytes(b"something else, long enough to be read as a header" * 50)
    with pytest.raises(InputError, match="cannot be used as the log of corrections"):
        CorrectionLog(path)
