"""Requests that correct, of a run and of a live site alike: the log of answers, giving one, taking one back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from common.errors import InputError
from mtmc.web.correction_log import KINDS, Entry, Overtaken
from mtmc.web.interface import AnswerBody, UndoBody

MAX_NAMED = 2000
"""Passages that one answer may name. Safety bound on the work of a request."""


class Answering(Protocol):
    """What takes answers."""

    def answer(
        self,
        kind: str,
        first: Sequence[str],
        second: Sequence[str] = (),
        *,
        author: str = "",
        after: int | None = None,
        note: str = "",
    ) -> Entry:
        """Take an answer.

        Args:
            kind: same, different, not-a-vehicle or unsure.
            first, second: keys of passages (see `Entry`).
            author: who answers.
            after: the last entry that the asker had seen.
            note: free text.

        Raises:
            InputError: it cannot hold; the message says why.
            Overtaken: somebody else answered about these passages meanwhile.
        """

    def undo(self, seq: int, *, author: str = "") -> Entry:
        """Take an answer back.

        Raises:
            InputError: there is none with this number, or it is undone already.
        """

    def entries(self, after: int = 0) -> list[Entry]:
        """The log, from the entry after `after` on."""

    def status(self) -> dict[str, Any]:
        """Where it stands, as plain values."""


def add_answering(app: FastAPI, answering: Answering) -> None:
    """Add these requests to an application."""

    @app.exception_handler(Overtaken)
    async def overtaken(_: Request, error: Overtaken) -> Response:
        return JSONResponse({"error": str(error), "entries": [e.to_json() for e in error.entries]}, 409)

    @app.get("/api/answers", tags=["correct"], summary="The log of answers")
    def answers(after: int = 0) -> dict[str, Any]:
        return {"entries": [entry.to_json() for entry in answering.entries(max(after, 0))]}

    @app.post("/api/answers", tags=["correct"], summary="Give an answer", status_code=201)
    def answer(body: AnswerBody) -> dict[str, Any]:
        """422 with the reason if it contradicts a fact or an earlier answer; 409 if others answered meanwhile."""
        found = answering.answer(
            body.kind, body.first, body.second, author=body.author, after=body.after, note=body.note
        )
        return {"entry": found.to_json(), "state": answering.status()}

    @app.post("/api/answers/{seq}/undo", tags=["correct"], summary="Take an answer back", status_code=201)
    def undo(seq: int, body: UndoBody) -> dict[str, Any]:
        found = answering.undo(seq, author=body.author)
        return {"entry": found.to_json(), "state": answering.status()}


def check_form(kind: str, first: Sequence[str], second: Sequence[str]) -> None:
    """Raise if an answer says nothing, or nothing that can be.

    Raises:
        InputError: it does.
    """
    if kind not in KINDS or kind == "undo":
        raise InputError(f"kind {kind}: must be same, different, not-a-vehicle or unsure")
    if not first:
        raise InputError("first: names no passage")
    if len(first) + len(second) > MAX_NAMED:
        raise InputError(f"an answer may name at most {MAX_NAMED} passages")
    if kind == "different" and not second:
        raise InputError("second: names no passage that `first` differs from")
    if kind == "same" and len({*first, *second}) < 2:
        raise InputError("same: needs at least two passages")
    if kind == "different" and (both := set(first) & set(second)):
        raise InputError(f"{min(both)}: cannot be different from itself")
