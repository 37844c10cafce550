"""The page over HTTP: what it shows, to whom, and that nobody keeps anybody."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import struct
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tornado.httpclient import HTTPClientError

from stemscan.errors import UsageError
from stemscan.recon.view.guards import check_listening, is_known_host, is_own_origin, is_token, new_token
from stemscan.recon.view.levels import shades
from tests.recon.view.view_kit import PLAN, TOKEN, add, message_of, served
from tests.stemscan.store_kit import create, memory_folder, pictures

PASS = PLAN.samples_per_pass


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run to its end, which comes soon or is an error."""
    asyncio.run(asyncio.wait_for(work, 60))


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with memory_folder() as folder:
        with create(folder / "a.zarr", PLAN) as store:
            add(store, PASS + 2)
        yield folder / "a.zarr"


def test_the_page_and_its_parts_come_without_data_and_load_nothing_from_elsewhere(path: Path) -> None:
    async def work() -> None:
        async with served(path) as page:
            for name, kind in (
                ("/", "text/html"), ("/view.js", "text/javascript"), ("/pictures.js", "text/javascript"),
                ("/charts.js", "text/javascript"), ("/view.css", "text/css"),
            ):  # fmt: skip
                answer = await page.get(name, X_Stemscan_Token=None)
                text = answer.body.decode()
                assert answer.code == 200
                assert answer.headers["Content-Type"].startswith(kind)
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["Cache-Control"] == "no-store"
                assert "Server" not in answer.headers
                assert TOKEN not in text
                assert "a.zarr" not in text
                assert "://" not in text.replace('"http://www.w3.org/2000/svg"', "").replace("://${location.host}", "")
            for name in ("/other.js", "/../guards.py", "/view.js/", "/tile/raw/0/0"):
                assert (await page.get(name)).code == 404

    run(work())


def test_a_viewer_sees_the_scan_grow(place: Path) -> None:
    async def work() -> None:
        async with served(place / "a.zarr") as page:
            viewer = await page.connect()
            assert (await message_of(viewer))["buttons"] == []
            assert "does not exist" in (await message_of(viewer))["problem"]
            with create(place / "a.zarr", PLAN) as store:
                for samples in (5, PASS, PASS):
                    add(store, samples)
                    told = await message_of(viewer, samples=store.samples_committed, problem="")
                    answer = await page.get(f"/tile/raw/0/0/0?v={told['version']}")
                    low, high = json.loads(answer.headers["X-Limits"])
                    read = np.asarray(Image.open(io.BytesIO(answer.body)))
                    frames, visits = pictures(PLAN, store.samples_committed)
                    means = frames.sum(axis=0) / np.maximum(visits.sum(axis=0), 1)
                    wanted = shades("grey").number(means.astype(np.float32), (low, high)).astype(np.uint8)
                    np.testing.assert_array_equal(read, np.where(visits.sum(axis=0) > 0, wanted, 0))

    run(work())


@pytest.mark.parametrize("token", [None, "", TOKEN[:-1], TOKEN + "x", "ключ".encode().decode("latin-1")])
def test_without_the_token_there_is_nothing_to_see(path: Path, token: str | None) -> None:
    async def work() -> None:
        async with served(path) as page:
            viewer = await page.connect(token or "none")
            assert await viewer.read_message() is None
            assert viewer.close_code == 4401
            for name in ("/tile/raw/0/0/0", "/tile/none/0/0/0"):
                answer = await page.get(name, X_Stemscan_Token=token)
                assert answer.code == 403
                assert answer.body.startswith(b"expected the token")
            assert (await page.get("/tile/raw/0/0/0")).code == 200
            assert (await page.get("/tile/none/0/0/0")).code == 404

    run(work())


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Stemscan_Token": "wrong"},
        {"X_Stemscan_Token": None},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "127.0.0.1.evil.example", "Origin": "http://127.0.0.1.evil.example"},
        {"Host": "@127.0.0.1:99999999", "Origin": "http://@127.0.0.1:99999999"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_press_from_elsewhere_is_refused(path: Path, headers: dict[str, str | None]) -> None:
    pressed = list[str]()

    async def press(name: str) -> str:
        pressed.append(name)
        return "done"

    async def work() -> None:
        async with served(path, press=press) as page:
            answer = await page.press("park", **headers)
            assert answer.code in (400, 403, 415)
            assert answer.body.count(b"\n") <= 1
            for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
                answer = await page.get("/press/park", method=method, Origin=page.place)
                assert answer.code == 405
            assert (await page.press("explode")).code == 404
            assert pressed == []
            answer = await page.press("stop")
            assert (answer.code, json.loads(answer.body)) == (200, {"words": "done"})
            assert pressed == ["stop"]

    run(work())


def test_a_page_that_only_shows_has_no_buttons(path: Path) -> None:
    async def work() -> None:
        async with served(path) as page:
            answer = await page.press("park")
            assert answer.code == 404
            assert b"acquire --watch" in answer.body

    run(work())


def test_a_foreign_page_gets_no_stream(path: Path) -> None:
    async def work() -> None:
        async with served(path) as page:
            for headers in (
                {"Origin": "http://evil.example"},
                {"Host": "evil.example", "Origin": "http://evil.example"},
            ):
                with pytest.raises(HTTPClientError) as caught:
                    await page.connect(**headers)
                assert caught.value.code == 403

    run(work())


def test_a_viewer_who_does_not_read_keeps_nobody(path: Path) -> None:
    async def work() -> None:
        async with served(path) as page:
            for _ in range(20):
                await page.connect()
            plain = socket.create_connection(("127.0.0.1", int(page.place.rpartition(":")[2])))
            ask = f"GET /tile/raw/0/0/0 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Stemscan-Token: {TOKEN}\r\n\r\n"
            plain.sendall(ask.encode() * 200)  # and reads none of it
            viewer = await page.connect()
            for _ in range(5):
                page.feed.ask({})
                assert (await message_of(viewer, name="a.zarr"))["samples"] == PASS + 2
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            plain.close()
            assert page.server.viewers == 21

    run(work())


def test_wishes_that_make_no_sense_do_no_harm(path: Path) -> None:
    async def work() -> None:
        async with served(path) as page:
            viewer = await page.connect()
            for wish in ({"make": "trouble"}, {"at": "x", "speed": -1}, {"make": ["image"]}, {"token": 3}):
                await viewer.write_message(json.dumps(wish))
            page.feed.ask({})
            assert (await message_of(viewer, name="a.zarr"))["image"]["busy"] in ([], ["image"])
            for text in ("[1", "[]", "3"):
                rude = await page.connect()
                await rude.write_message(text)
                while await rude.read_message() is not None:
                    pass
                assert rude.close_code == 4400

    run(work())


@pytest.mark.long
def test_an_image_with_all_that_belongs_to_it(path: Path) -> None:
    async def work() -> None:
        async with served(path, images=True) as page:
            viewer = await page.connect()
            while not (told := await message_of(viewer, name="a.zarr"))["image"]["version"]:
                assert told["image"]["problem"] == ""
            image = told["image"]
            assert (image["samples"], image["passes"], image["method"]) == (PASS, 1, "fourier-eb")
            assert image["pictures"] == ["image", "std", "z"]
            for name in image["pictures"]:
                answer = await page.get(f"/tile/{name}/0/0/0")
                assert Image.open(io.BytesIO(answer.body)).size == (16, 16)

    run(work())


def test_guards() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) >= 32
    assert is_token("abc", "abc")
    assert not is_token(None, "abc")
    for header in ("localhost", "localhost:99", "127.0.0.1:1", "[::1]:8000", "127.8.8.8"):
        assert is_known_host(header, "127.0.0.1")
    for header in ("", "a.example", "localhost.a.example:80", "10.0.0.1:80", "[::1", "2130706433"):
        assert not is_known_host(header, "127.0.0.1")
    assert is_known_host("10.0.0.1:80", "0.0.0.0")
    assert is_known_host(f"{socket.gethostname()}:80", "0.0.0.0")
    assert not is_known_host("a.example:80", "0.0.0.0")
    assert is_own_origin("http://localhost:1", "localhost:1")
    assert not is_own_origin("http://localhost:2", "localhost:1")
    check_listening("::1", allow_remote=False)
    check_listening("0.0.0.0", allow_remote=True)
    with pytest.raises(UsageError, match="--allow-remote"):
        check_listening("0.0.0.0", allow_remote=False)
