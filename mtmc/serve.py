"""python -m mtmc.serve: a finished run in the browser, to ask and to correct."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from common.command_line import run_command
from common.errors import InputError

_EXAMPLES = """examples:
  the run that python -m mtmc.run wrote
    python -m mtmc.serve runs/sim-S06
  for others in your network; the address that is printed holds the token
    python -m mtmc.serve runs/sim-S06 --host 0.0.0.0
  the extractor to look at, where the run compared several
    python -m mtmc.serve runs/sim-S06 --extractor baseline

What the page makes (answers, corrected identities, clips) lies in the folder page/ of the run.
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
    from mtmc.report.stored_run import open_run
    from mtmc.web.app import make_app
    from mtmc.web.security import Access
    from mtmc.web.session import Session

    run = open_run(arguments.run, extractor=arguments.extractor, cache=arguments.cache)
    listening = _listen(arguments.host, arguments.port)
    session = Session(run, solve=not arguments.no_solve)
    shown = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    address = f"http://{shown}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else "")
    sys.stderr.write(f"{run.scenario.name}, extractor {run.extraction.name}: {address}\n")
    if not loopback:
        sys.stderr.write("note: without HTTPS the token can be read on the way; put a proxy with TLS in front of it\n")
    config = uvicorn.Config(
        make_app(session, Access(token)),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens; bound before the run is opened, so that a port that is taken shows at once."""
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
        description="Open a finished run in the browser: find vehicles, see traffic, correct identities.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder that mtmc.run wrote")
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
    add("--no-solve", action="store_true", help="do not solve the association again: answers act directly only")
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 65536:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return number


if __name__ == "__main__":
    sys.exit(run_command(main))
