"""python -m mtmc.serve: a finished run in the browser, to ask and to correct; or a live site, to watch and to ask."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.command_line import run_command
from common.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI

_EXAMPLES = """examples:
  the run that python -m mtmc.run wrote
    python -m mtmc.serve runs/sim-S06
  a site that python -m mtmc.live watches, by its file or by its store
    python -m mtmc.serve SITE.yaml
    python -m mtmc.serve live/sim-S06
  for others in your network; the address that is printed holds the token
    python -m mtmc.serve runs/sim-S06 --host 0.0.0.0
  the extractor to look at, where the run compared several
    python -m mtmc.serve runs/sim-S06 --extractor baseline

What the page makes of a run (answers, corrected identities, clips) lies in the folder page/ of the run.
exit status: 0 ended by Ctrl-C; 2 wrong usage or input; 1 an internal error
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    token = arguments.token if arguments.token is not None else os.environ.get("MTMC_TOKEN", "")
    loopback = arguments.host in ("127.0.0.1", "localhost", "::1")
    if not loopback and not token:
        token = secrets.token_urlsafe(24)
    if token and len(token) < 16:
        raise InputError("--token: must have at least 16 characters, so that it cannot be guessed")
    try:
        import fastapi  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise InputError(f"the page needs the package {error.name}: pip install 'mtmc[web]'") from error
    make = _live_app if _is_live(arguments.run) else _run_app
    listening = _listen(arguments.host, arguments.port)
    try:
        app, words = make(arguments, token)
    except BaseException:
        listening.close()
        raise
    shown = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    address = f"http://{shown}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else "")
    sys.stderr.write(f"{words}: {address}\n")
    if not loopback:
        sys.stderr.write("note: without HTTPS the token can be read on the way; put a proxy with TLS in front of it\n")
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def _is_live(path: Path) -> bool:
    """Whether a path is a site's file or a store rather than a run."""
    return path.suffix.lower() in (".yaml", ".yml") or (path / "live.sqlite").is_file()


def _run_app(arguments: argparse.Namespace, token: str) -> tuple[FastAPI, str]:
    """The application over a finished run, and what it shows in words."""
    from mtmc.report.stored_run import open_run
    from mtmc.web.app import make_app
    from mtmc.web.security import Access
    from mtmc.web.session import Session

    run = open_run(arguments.run, extractor=arguments.extractor, cache=arguments.cache)
    session = Session(run, solve=not arguments.no_solve)
    return make_app(session, Access(token)), f"{run.scenario.name}, extractor {run.extraction.name}"


def _live_app(arguments: argparse.Namespace, token: str) -> tuple[FastAPI, str]:
    """The application over a live site, and what it shows in words."""
    for name, given in (("--extractor", arguments.extractor), ("--cache", arguments.cache)):
        if given is not None:
            raise InputError(f"{name}: is for a finished run, and {arguments.run} is a live site; leave it out")
    from mtmc.web.live.app import make_live_app
    from mtmc.web.live.feed import LiveFeed
    from mtmc.web.live.open_site import open_site
    from mtmc.web.security import Access

    reader, load = open_site(arguments.run, hours=arguments.hours)
    return make_live_app(reader, LiveFeed(reader.folder), load, Access(token)), f"{reader.now().name}, live"


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens; bound before anything is opened, so that a port that is taken shows at once."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"--host {host} --port {port}: cannot listen there ({reason}); name another") from error
    return listening


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mtmc.serve",
        description="Open a finished run in the browser: find vehicles, see traffic, correct identities. Or a live "
        "site: watch its cameras, find vehicles, see traffic.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "run",
        type=Path,
        metavar="RUN_OR_SITE",
        help="the folder that mtmc.run wrote; or SITE.yaml, or the store that mtmc.live writes",
    )
    add("--extractor", metavar="NAME", help="which of the run's extractors (default: the last)")
    add("--cache", type=Path, metavar="DIR", help="where the run's cache is now (default: where the run left it)")
    add("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1, this machine only)")
    add("--port", type=_port, default=8000, help="port (default: 8000; 0 takes a free one)")
    add(
        "--token",
        metavar="TEXT",
        help="what every request must carry (default: $MTMC_TOKEN; else none on this machine, and a random one on "
        "another address)",
    )
    add(
        "--hours",
        type=_hours,
        default=24.0,
        metavar="N",
        help="how far back a live site is shown (default: 24); each track takes 2 kB of memory",
    )
    add("--no-solve", action="store_true", help="do not solve the association again: answers act directly only")
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 65536:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return number


def _hours(text: str) -> float:
    hours = float(text)
    if not 0.0 < hours <= 24.0 * 366:
        raise argparse.ArgumentTypeError("must be above 0, a year at most")
    return hours


if __name__ == "__main__":
    sys.exit(run_command(main))
