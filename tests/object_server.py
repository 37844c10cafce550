"""An S3 server in this process (moto), whose answers can be late, refused or lost."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import pytest

__all__ = ["Fault", "ObjectServer", "object_server"]

Fault = Literal["500", "503", "lost request", "lost answer"]
"""An answer of the server, or a connection that is reset before or after it did what was asked."""


@dataclass
class ObjectServer:
    """A server, and what is wrong with it.

    Attributes
    ----------
    url : str
    faulty : callable
        Takes method and path of a request; what goes wrong with it.
    latency_s : float
        Before each answer.
    requests : list of (str, str)
        Methods and paths so far.
    """

    url: str = ""
    faulty: Callable[[str, str], Fault | None] = lambda method, path: None
    latency_s: float = 0.0
    requests: list[tuple[str, str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which a process finds the server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def bucket(self, name: str) -> None:
        """Make a bucket."""
        import urllib.request

        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="PUT"))


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """A server until the context is left; the test skips where its packages are missing."""
    pytest.importorskip("obstore", reason="stemscan[cloud] is not installed")
    pytest.importorskip("moto", reason="moto is not installed")
    pytest.importorskip("flask_cors", reason="flask-cors is not installed")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *_: Any) -> None:
            """Nothing."""

    known = ObjectServer()
    server = make_server(
        "127.0.0.1",
        0,
        _Faulty(DomainDispatcherApplication(create_backend_app), known),
        threaded=True,
        request_handler=Silent,
    )
    known.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Faulty:
    """A WSGI application behind what is wrong with it; one request at a time, as conditions are checked then put."""

    def __init__(self, application: Callable[..., Iterable[bytes]], known: ObjectServer) -> None:
        self._application, self._known, self._alone = application, known, threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self._known.requests.append((method, path))
        time.sleep(self._known.latency_s)
        fault = self._known.faulty(method, path)
        if fault in ("500", "503"):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start(f"{fault} Refused", [("Content-Type", "application/xml"), ("Content-Length", "0")])
            return [b""]
        if fault == "lost request":
            _reset(environ["werkzeug.socket"])
        with self._alone:
            answer = list(self._application(environ, start))
        if fault == "lost answer":
            _reset(environ["werkzeug.socket"])
        return answer


def _reset(connection: socket.socket) -> NoReturn:
    """Reset a connection, of which the server takes note."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError
