"""The page over HTTP: its files, a stream of messages, tiles, and the buttons of an acquisition."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from stemscan.errors import UsageError, refusal
from stemscan.recon.view.feed import Feed
from stemscan.recon.view.guards import HEADERS, is_known_host, is_own_origin, is_token

__all__ = ["BUTTONS", "Press", "Server"]

BUTTONS: Final = ("stop", "more", "park")
"""Presses that an acquisition takes: stop after this pass, one more pass, blank and park."""

Press = Callable[[str], Awaitable[str]]
"""Carries out a press by its name, and tells what came of it."""

_PAGE: Final = Path(__file__).parent / "page"
_KINDS: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_TOKEN_S: Final = 5.0
_PING_S: Final = 5.0
_MOST_BYTES: Final = 1 << 16


class Server:
    """Serves one feed.

    Parameters
    ----------
    token : str
        That every request for data must have.
    press : Press, optional
        Action of the buttons; a page without it has none.
    """

    def __init__(self, feed: Feed, token: str, press: Press | None = None) -> None:
        self._feed, self._token, self._press = feed, token, press
        self._server: HTTPServer | None = None
        self.viewers = 0

    def listen(self, host: str, port: int) -> str:
        """Begin to serve, and return the address of the page with its token.

        Raises
        ------
        UsageError
            When the address is none of this machine, or the port is taken.
        """
        known = {"feed": self._feed, "token": self._token, "press": self._press, "listening": host, "server": self}
        application = Application(
            [
                (r"/()", _Page, known),
                (r"/((?:view|pictures|charts)\.js|view\.css)", _Page, known),
                (r"/feed", _Messages, known),
                (r"/tile/(\w+)/(\d{1,2})/(\d{1,5})/(\d{1,5})", _Tile, known),
                (r"/press/(\w+)", _Press, known),
            ],
            default_handler_class=_Nothing,
            default_handler_args=known,
            websocket_ping_interval=_PING_S,
            websocket_max_message_size=_MOST_BYTES,
            log_function=lambda handler: None,
        )
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host, port), family=family)
        except (OSError, OverflowError) as problem:
            why = refusal(problem) if isinstance(problem, OSError) else str(problem)
            raise UsageError(
                f"expected an address of this machine and a free port, got {host}:{port} ({why}); choose others by "
                "--host and --port"
            ) from problem
        self._server = HTTPServer(application, max_body_size=_MOST_BYTES, max_header_size=_MOST_BYTES)
        listener.setblocking(False)
        self._server.add_socket(listener)
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{listener.getsockname()[1]}/#{self._token}"

    async def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()


class _Guarded(RequestHandler):
    """Checks what every request must have."""

    def initialize(self, feed: Feed, token: str, press: Press | None, listening: str, server: Server) -> None:
        self.feed, self.token, self.press, self.listening, self.server = feed, token, press, listening, server

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def prepare(self) -> None:
        if not is_known_host(self.request.headers.get("Host", ""), self.listening):
            self.refuse(403, "expected a request to this machine by its own name; open the address that was printed")

    def need_token(self) -> None:
        """Refuse a request without the right token."""
        if not is_token(self.request.headers.get("X-Stemscan-Token"), self.token):
            self.refuse(403, "expected the token of this page; open the address that was printed")

    def refuse(self, code: int, words: str) -> None:
        """End a request with a sentence."""
        raise HTTPError(code, reason=words)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{self._reason}\n")


class _Nothing(_Guarded):
    """Whatever is not there."""

    def prepare(self) -> None:
        super().prepare()
        self.refuse(404, "expected the address of the page, got another")


class _Page(_Guarded):
    """The page's own files, which hold no data."""

    def get(self, name: str) -> None:
        """Send a file."""
        file = _PAGE / (name or "index.html")
        self.set_header("Content-Type", f"{_KINDS[file.suffix]}; charset=utf-8")
        self.finish(file.read_bytes())


class _Tile(_Guarded):
    """Parts of pictures."""

    async def get(self, name: str, *numbers: str) -> None:
        """Send a tile, with its version and the values of its first and last colour."""
        self.need_token()
        level, row, column = map(int, numbers)
        try:
            drawn = await self.feed.tile(name, level, row, column)
        except LookupError:
            self.refuse(404, "expected a picture that there is, and a tile of it")
            return
        self.set_header("Content-Type", "image/png")
        self.set_header("X-Version", str(drawn.version))
        self.set_header("X-Limits", json.dumps(drawn.limits))
        with suppress(StreamClosedError):
            await self.finish(drawn.png)


class _Press(_Guarded):
    """The buttons."""

    async def post(self, name: str) -> None:
        """Carry out a press, and send what came of it."""
        self.need_token()
        headers = self.request.headers
        if not is_own_origin(headers.get("Origin"), headers.get("Host", "")):
            self.refuse(403, "expected a press on the page itself, got one from elsewhere")
        if headers.get("Content-Type", "").partition(";")[0] != "application/json":
            self.refuse(415, "expected a press as application/json")
        if self.press is None or name not in BUTTONS:
            self.refuse(404, "expected a button of this page; only acquire --watch has any")
            return
        words = await self.press(name)
        await self.feed.tell()
        self.finish({"words": words})


class _Messages(_Guarded, WebSocketHandler):
    """A stream of messages to one viewer, the latest at a time: who does not read misses some, and keeps nobody."""

    sending: asyncio.Task[None] | None = None
    waiting: asyncio.TimerHandle | None = None

    def prepare(self) -> None:
        super().prepare()
        origin = self.request.headers.get("Origin")
        if origin is not None and not self.check_origin(origin):
            self.refuse(403, "expected the page itself, got another")

    def check_origin(self, origin: str) -> bool:
        return is_own_origin(origin, self.request.headers.get("Host", ""))

    def open(self, *args: str, **kwargs: str) -> None:
        """Wait for the token, which must come first and soon."""
        self.set_nodelay(True)
        self.waiting = asyncio.get_running_loop().call_later(_TOKEN_S, self.close, 4401, "no token")

    def on_message(self, message: str | bytes) -> None:
        """Take the token, and then wishes that move no beam."""
        try:
            wish = json.loads(message)
        except ValueError:
            wish = None
        if not isinstance(wish, Mapping):
            self.close(4400, "expected JSON")
        elif self.sending is not None:
            self.feed.ask(dict(wish))
        elif is_token(str(wish.get("token")), self.token):
            self._begin()
        else:
            self.close(4401, "wrong token")

    def on_close(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
        if self.sending is not None:
            self.sending.cancel()
            self.server.viewers -= 1

    def _begin(self) -> None:
        """Begin to send."""
        if self.waiting is not None:
            self.waiting.cancel()
        self.server.viewers += 1
        self.sending = asyncio.ensure_future(self._send())

    async def _send(self) -> None:
        """Send message after message, each when the last one went out."""
        number = 0
        with suppress(WebSocketClosedError, StreamClosedError):
            await self.write_message({"buttons": list(BUTTONS) if self.press is not None else []})
            if self.feed.message:
                number = self.feed.number
                await self.write_message(self.feed.message)
            while True:
                number, message = await self.feed.next(number)
                await self.write_message(message)
