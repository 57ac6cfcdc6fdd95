"""Fetching one file from a URL or a path, resuming what an earlier run left.

A download in progress is ``target`` itself, and beside it ``target.origin`` with the server's name for that
content (its ETag or date). The server is asked to continue only the same content; a server that cannot
continue, or has other content by now, sends the file from its beginning.
"""

from __future__ import annotations

import errno
import http.client
import shutil
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from provisioner import __version__
from provisioner.releases.progress import Progress, Report

_CHUNK = 64 * 1024
_TIMEOUT = 30  # seconds without a byte
_ATTEMPTS = 5
_PAUSE = 1.0  # seconds before the second attempt; doubles with each further one
_MAX_SIZE = 4 * 1024**3  # bytes; no release comes near
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class NotThereError(Exception):
    """A source does not have the file, or does not answer; the text says which."""


class _InterruptedTransferError(Exception):
    """The connection ended early; asking again can continue."""


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


def fetch(address: str, target: Path, report: Report) -> None:
    """Fetch ``address``, a URL or an absolute path, into ``target``.

    Raises:
        NotThereError: There is no such file, or the server does not answer.
        OSError: ``target`` cannot be written. What has arrived stays, and the next call continues from there.
    """
    if "://" in address:
        _download(address, target, report)
    else:
        _copy(Path(address), target, report)


def _copy(source: Path, target: Path, report: Report) -> None:
    try:
        reader = source.open("rb")
    except OSError as error:
        raise NotThereError(f"{source}: {error.strerror}") from error
    with reader, target.open("wb") as writer:
        total = source.stat().st_size
        _refuse_size(str(source), total)
        _transfer(reader, writer, Progress(f"copying {source.name}", 0, total), report)


def _download(url: str, target: Path, report: Report) -> None:
    pause = _PAUSE
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _continue(url, target, report)
        except _InterruptedTransferError as error:
            if attempt == _ATTEMPTS:
                raise NotThereError(f"{url}: {error}, {_ATTEMPTS} times") from error
            report(Progress(f"{url}: {error}; trying again"))
            time.sleep(pause)
            pause *= 2
        else:
            return


def _continue(url: str, target: Path, report: Report) -> None:
    """Make one request for what is still missing of ``url`` and append it to ``target``."""
    have, known = _read_partial(target)
    headers = {"User-Agent": f"sovstack/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": known}
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  the opener speaks http(s) only
        with _OPENER.open(request, timeout=_TIMEOUT) as response:
            _receive(url, response, target, have, report)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                if error.headers.get("Content-Range") == f"bytes */{have}":
                    return  # there is nothing missing: an earlier run was stopped after the download
                _origin(target).unlink(missing_ok=True)  # what is here is no beginning of what is there
                raise _InterruptedTransferError("the server has other content by now") from error
            if error.code in _TRANSIENT:
                raise _InterruptedTransferError(f"the server answers {error.code}") from error
            raise NotThereError(f"{url}: the server answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise NotThereError(f"{url}: {getattr(error.reason, 'strerror', None) or error.reason}") from error
    except ValueError as error:  # an address that is none
        raise NotThereError(f"{url}: {error}") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _InterruptedTransferError(f"the connection ended early ({type(error).__name__})") from error


def _receive(url: str, response: http.client.HTTPResponse, target: Path, have: int, report: Report) -> None:
    if response.status != http.client.PARTIAL_CONTENT:
        have = 0
    elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        _origin(target).unlink(missing_ok=True)
        raise _InterruptedTransferError("the server sends another part than the one that is missing")
    length = response.headers.get("Content-Length")
    total = have + int(length) if length and length.isdigit() else None
    _refuse_size(url, total or 0)
    _require_room(url, target, (total or 0) - have)
    _origin(target).write_text(_identify(response.headers), encoding="utf-8")
    with target.open("ab" if have else "wb") as writer:
        name = url.rpartition("/")[2]
        done = _transfer(response, writer, Progress(f"downloading {name}", have, total), report)
    if total is not None and done < total:
        raise _InterruptedTransferError(f"the connection ended early, {total - done} bytes before the end")


def _transfer(reader: _Reader, writer: BinaryIO, start: Progress, report: Report) -> int:
    """Copy until the reader's end and return the size reached, what was there before included."""
    done = start.done or 0
    while chunk := reader.read(_CHUNK):
        writer.write(chunk)
        done += len(chunk)
        _refuse_size(start.text, done)
        report(Progress(start.text, done, start.total))
    return done


def _read_partial(target: Path) -> tuple[int, str]:
    """Return how many bytes are here and how the server names their content; (0, "") to begin anew."""
    try:
        known = _origin(target).read_text(encoding="utf-8")
        return (target.stat().st_size, known) if known else (0, "")
    except FileNotFoundError:
        return 0, ""


def _identify(headers: Message) -> str:
    """Return a validator that is good for If-Range: a strong ETag, else the date of the last change."""
    tag: str = headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    return str(headers.get("Last-Modified", ""))


def _origin(target: Path) -> Path:
    return target.with_name(f"{target.name}.origin")


def _refuse_size(what: str, size: int) -> None:
    if size > _MAX_SIZE:
        raise NotThereError(f"{what}: larger than {_MAX_SIZE // 1024**3} GiB, which no release is")


def _require_room(url: str, target: Path, missing: int) -> None:
    """Say before a long download that it will not fit."""
    free = shutil.disk_usage(target.parent).free
    if free < missing:
        raise OSError(errno.ENOSPC, f"{url} needs {missing} bytes, {free} are free")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.startswith("https:"):
            raise NotThereError(f"{req.full_url} redirects to {newurl}, which is not protected")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _build_opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https alone: no file:, no ftp:, and proxies as the environment says."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
        _SafeRedirects,
    ):
        opener.add_handler(handler())
    return opener


_OPENER = _build_opener()
