"""Keeping credentials out of everything that is written: logs, events, reports, error lines."""

from __future__ import annotations

import re

MASK = "***"
"""Stands for what was taken out."""

_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*://)\S*@")
_QUERY = re.compile(r"(?P<address>[A-Za-z][A-Za-z0-9+.\-]*://[^\s?]*\?)[^\s'\",;)\]}]+")
_WHOLE_USER = re.compile(r"(?s)(?P<scheme>\s*[A-Za-z][A-Za-z0-9+.\-]*://).*@")


def redact(text: object) -> str:
    """`text` without the credentials of any address in it: user and password, and everything after a question mark.

    Up to the last `@` of an address everything counts as user and password, since passwords hold `@`, `:` and `/`
    unescaped; of a query everything, since cameras take `?user=...&pwd=...` in many spellings.

    >>> redact("rtsp://admin:pa@ss/1@10.0.0.5:554/stream: Connection refused")
    'rtsp://***@10.0.0.5:554/stream: Connection refused'
    >>> redact("http://cam/video?user=admin&pwd=secret")
    'http://cam/video?***'
    """
    return _QUERY.sub(rf"\g<address>{MASK}", _USER.sub(rf"\g<scheme>{MASK}@", str(text)))


def redact_address(address: str) -> str:
    """The same for a text that is one address and nothing else, which may hold spaces where none belong.

    >>> redact_address("rtsp://admin:pass word@10.0.0.5/1")
    'rtsp://***@10.0.0.5/1'
    """
    return redact(_WHOLE_USER.sub(rf"\g<scheme>{MASK}@", address) if _WHOLE_USER.match(address) else address)
