"""Stores that grow by hand, a page served in this process, and a viewer without a browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

from stemscan.recon.view.feed import Feed
from stemscan.recon.view.growing import GrowingScan
from stemscan.recon.view.making import Made, Maker
from stemscan.recon.view.replaying import Replay
from stemscan.recon.view.server import Press, Server
from stemscan.store.batch import SampleBatch
from stemscan.store.writer import AcquisitionWriter
from tests.stemscan.store_kit import expected_counts, make_plan

PLAN = make_plan(passes=3, limits={"max_dose_e_per_A2": 100000})
TOKEN = "a-token-for-tests"


def add(store: AcquisitionWriter, samples: int) -> None:
    """Expose, append and commit so many more samples."""
    start = store.samples_committed
    store.arm(start + samples)
    store.append(SampleBatch(start, expected_counts(start, start + samples)))
    store.commit()


@dataclass
class Page:
    """A page that is served."""

    feed: Feed
    server: Server
    address: str
    viewers: list[WebSocketClientConnection] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Address without the token."""
        return self.address.partition("/#")[0]

    async def get(
        self, path: str, *, method: str = "GET", body: str | None = None, **headers: str | None
    ) -> HTTPResponse:
        """An answer; by the right token unless another is given, and whatever its status is."""
        given = {"X-Stemscan-Token": TOKEN} | {name.replace("_", "-"): value for name, value in headers.items()}
        known = {name: value for name, value in given.items() if value is not None}
        request = HTTPRequest(self.place + path, method=method, body=body, headers=known)
        return await AsyncHTTPClient().fetch(request, raise_error=False)

    async def press(self, name: str, **headers: str | None) -> HTTPResponse:
        """A press of a button, as the page itself sends it."""
        own = {"Origin": self.place, "Content_Type": "application/json"}
        return await self.get(f"/press/{name}", method="POST", body="{}", **own | headers)

    async def connect(self, token: str | None = TOKEN, **headers: str) -> WebSocketClientConnection:
        """A viewer's stream of messages."""
        request = HTTPRequest(self.place.replace("http", "ws") + "/feed", headers={"Origin": self.place} | headers)
        socket = await websocket_connect(request)
        self.viewers.append(socket)
        if token is not None:
            await socket.write_message(json.dumps({"token": token}))
        return socket


async def message_of(socket: WebSocketClientConnection, **wanted: object) -> dict[str, Any]:
    """The next message in which these stand."""
    while True:
        text = await asyncio.wait_for(socket.read_message(), 20)
        assert text is not None, f"the stream ended: {socket.close_code} {socket.close_reason}"
        message: dict[str, Any] = json.loads(text)
        if all(message.get(name) == value for name, value in wanted.items()):
            return message


class IdleMaker(Maker):
    """Makes nothing, and starts no process."""

    def warm_up(self) -> None:
        """Stay idle."""

    def image(self, samples: int, block: int = 1) -> Future[Made]:
        """An image that never comes."""
        return Future()

    def find(self, what: str, samples: int, image: Any = None) -> Future[dict[str, Any]]:
        """A finding that never comes."""
        return Future()


@asynccontextmanager
async def served(
    path: Path, *, press: Press | None = None, replay: Replay | None = None, images: bool = False
) -> AsyncIterator[Page]:
    """The page of a store, on a free port."""
    feed = Feed(GrowingScan(path), (Maker if images else IdleMaker)(path), replay)
    server = Server(feed, TOKEN, press)
    address = server.listen("127.0.0.1", 0)
    looking = asyncio.ensure_future(feed.run())
    page = Page(feed, server, address)
    try:
        yield page
    finally:
        for viewer in page.viewers:
            ended = viewer.close_code is not None
            viewer.close()
            if not ended:
                while await asyncio.wait_for(viewer.read_message(), 5) is not None:
                    pass
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        await server.close()
