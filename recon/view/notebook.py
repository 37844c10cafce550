"""`view`: a plan, an acquisition or a reconstruction in a notebook, live while its store grows.

A kernel that runs shows a growing store by updates of one display, which Jupyter, VS Code and Colab have without an
extension, and which leave the last panels in the saved notebook. A thread looks at the store, and images are made in
another process, so that the kernel stays free. Without a kernel it is HTML in one piece.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stemscan.arguments import described
from stemscan.errors import InputNotFoundError, StemscanError, UsageError
from stemscan.recon.view.making import METHOD, Made, Maker, make

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.recon.reconstruction import Reconstruction
    from stemscan.recon.view.growing import GrowingScan
    from stemscan.recon.view.images import Images
    from stemscan.recon.view.state import State
    from stemscan.store.reader import Acquisition

__all__ = ["View", "view"]

_LOOK_S: Final = 0.1
_SHORTEST_S: Final = 0.5
"""Between two updates of a display."""

_SHARE: Final = 4.0
"""Updates take at most one part in this of a processor."""


class View:
    """Panels of an object, shown by notebooks as HTML; made by `view`.

    Parameters
    ----------
    words : str
        Text where there is no HTML.
    draw : callable
        Makes the HTML.
    follow : callable, optional
        Of an object that grows: calls what it is given with new HTML until that, or the object, ends.
    begin : callable, optional
        Makes HTML at once, to begin with; by default `draw`.
    """

    def __init__(
        self,
        words: str,
        draw: Callable[[], str],
        follow: Callable[[Callable[[str], None], threading.Event], None] | None = None,
        begin: Callable[[], str] | None = None,
    ) -> None:
        self._words, self._draw, self._follow, self._begin = words, draw, follow, begin or draw
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        """The object in words."""
        return self._words

    def _repr_html_(self) -> str:
        """The panels as they are now."""
        return self._draw()

    def _ipython_display_(self) -> None:
        """Show the panels, and renew them while the object grows."""
        from IPython.display import publish_display_data

        name = {"display_id": uuid.uuid4().hex}
        live = self._follow is not None and not self._ended.is_set()
        publish_display_data(self._bundle(self._begin() if live else self._draw()), transient=name)
        if live:
            from IPython import get_ipython

            publish = get_ipython().display_pub.publish

            def update(html: str) -> None:
                publish(self._bundle(html), transient=name, update=True)

            self._thread = threading.Thread(target=self._follow, args=(update, self._ended), daemon=True)
            self._thread.start()

    def _bundle(self, html: str) -> dict[str, str]:
        """Forms of which a viewer takes the best that it knows."""
        return {"text/html": html, "text/plain": self._words}

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the panels as they are now as a page in one file, which opens without a connection.

        Parameters
        ----------
        path : str or Path
            Ends in .html.
        overwrite : bool
            Replace what is there.

        Raises
        ------
        UsageError, InputNotFoundError, OutputExistsError, StemscanError
            When the name or the place does not fit, or the system refuses to write.
        """
        from stemscan.arguments import file_path
        from stemscan.files.writing import write_text

        path = file_path(path, "the new page")
        if path.suffix.lower() != ".html":
            raise UsageError(f"expected a file that ends in .html, got {str(path)!r}; rename it")
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>stemscan</title>'
        body = f'<body style="font:15px system-ui,sans-serif;max-width:1300px;margin:1rem auto">{self._draw()}</body>'
        write_text(path, f"{head}{body}</html>\n", overwrite=overwrite)
        return path

    def stop(self) -> None:
        """Renew the panels no more."""
        self._ended.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the object grows no more, or for so many seconds at most; tell whether it is so."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()


def view(
    what: ScanPlan | Acquisition | Reconstruction | str | Path,
    *,
    live: bool = True,
    method: str = METHOD,
    channel: int | str = 0,
) -> View:
    """Show a plan, an acquisition or a reconstruction in a notebook: the panels of `stemscan watch`.

    Parameters
    ----------
    what : ScanPlan, Acquisition, Reconstruction, str or Path
        Or the path of one.
    live : bool
        Renew the panels while an acquisition grows, where there is a kernel; it stays free meanwhile.
    method : str
        Of the images of an acquisition, see `stemscan methods`.
    channel : int or str
        Of the detectors of an acquisition.

    Returns
    -------
    View
        As the last value of a cell it shows itself; `View.save` writes one file of HTML, `View.stop` ends updates.

    Raises
    ------
    UsageError
        When it is something else, or there is no such method or channel.
    InputNotFoundError, PlanError, StoreError
        When there is nothing at a path, or it is damaged.

    Examples
    --------
    >>> import stemscan as ss
    >>> pattern, dose = ss.BlockRandom(block=8, samples_per_block=3), ss.Dose(electrons_per_sample=10)
    >>> plan = ss.ScanPlan(pattern=pattern, shape=(64, 64), passes=1, dwell="1us", dose=dose, seed=7)
    >>> ss.view(plan)._repr_html_().count("data:image/png")
    2
    """
    try:
        return _view(what, live, method, channel)
    except StemscanError as problem:
        sentence = f"{type(problem).__name__}: {problem}"
        problem._render_traceback_ = lambda: [sentence]  # type: ignore[attr-defined]  # in a notebook, that alone
        raise


def _view(what: Any, live: bool, method: str, channel: int | str) -> View:
    """The view of an object, or of what is at a path."""
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.recon.loading import load
    from stemscan.recon.reconstruction import Reconstruction
    from stemscan.recon.view import panels
    from stemscan.recon.view.showing import check_method
    from stemscan.store.reader import Acquisition

    if isinstance(what, str | Path):
        what = load(what)
    if isinstance(what, ScanPlan):
        return View(repr(what), lambda: panels.plan_panels(what))
    if isinstance(what, Reconstruction):
        return View(repr(what), lambda: panels.reconstruction_panels(what))
    if not isinstance(what, Acquisition):
        raise UsageError(
            f"expected a ScanPlan, an Acquisition, a Reconstruction or the path of one, got {described(what)}; load "
            "it first, as by ss.load"
        )
    check_method(method)
    what.channel_number(channel)
    if not what.path.exists():
        raise InputNotFoundError(f"expected an acquisition store at {str(what.path)!r}, got nothing; it was deleted")
    seen = _Seen(what.path, method, channel)
    if not live or what.state == "complete":
        return View(repr(what), seen.whole)
    return View(repr(what), seen.whole, seen.follow, seen.counts)


class _Here(Maker):
    """Makes images at once, in this thread, without their quality, which tells nothing before there are two."""

    def warm_up(self) -> None:
        """Nothing: the image comes when it is asked for."""

    def image(self, samples: int, block: int = 1) -> Future[Made]:
        """The image of the first samples."""
        made = Future[Made]()
        try:
            made.set_result(make(self._path, self._channel, self._method, self._threads, samples, block, quality=False))
        except StemscanError as problem:
            made.set_exception(problem)
        return made


class _Seen:
    """An acquisition as a notebook shows it."""

    def __init__(self, path: Path, method: str, channel: int | str) -> None:
        self._path, self._method, self._channel = path, method, channel

    def counts(self) -> str:
        """The panels of all that is committed, without an image."""
        return self.whole(image=False)

    def whole(self, *, image: bool = True) -> str:
        """The panels of all that is committed, with the image that it makes."""
        from stemscan.recon.threads import workers
        from stemscan.recon.view.panels import scan_panels

        scan, state, images = self._opened(_Here, workers())
        while scan.look():
            pass
        if image and scan.samples and not scan.problem:
            images.ask("image", scan.samples, lambda: None)
        return scan_panels(scan, state, images)

    def follow(self, update: Callable[[str], None], ended: threading.Event) -> None:
        """Hand out the panels whenever the store or its image is new, until it is complete."""
        from stemscan.recon.view.panels import scan_panels

        scan, state, images = self._opened(Maker, 1)
        images.warm_up()
        changed, made, rests_until = False, threading.Event(), 0.0
        try:
            while not ended.wait(_LOOK_S):
                changed = scan.look() or changed
                if scan.acquisition is not None and not scan.problem:
                    images.follow(scan, made.set)
                over = _is_over(scan, images)
                if over or ((changed or made.is_set()) and time.monotonic() >= rests_until):
                    changed, began = False, time.monotonic()
                    made.clear()
                    update(scan_panels(scan, state, images))
                    rests_until = began + max(_SHORTEST_S, _SHARE * (time.monotonic() - began))
                if over:
                    return
        finally:
            images.close()

    def _opened(self, maker: type[Maker], threads: int) -> tuple[GrowingScan, State, Images]:
        """The scan, its facts and its images."""
        from stemscan.recon.view.growing import GrowingScan
        from stemscan.recon.view.images import Images
        from stemscan.recon.view.state import State

        scan = GrowingScan(self._path, self._channel)
        return scan, State(scan, None), Images(maker(self._path, self._channel, self._method, threads))


def _is_over(scan: GrowingScan, images: Images) -> bool:
    """Tell whether all samples of a complete store are shown, and their image is made or cannot be."""
    store = scan.acquisition
    if scan.problem or store is None or store.state != "complete" or scan.samples < store.samples_committed:
        return False
    return not images.busy and (images.facts.get("samples") == scan.samples or bool(images.problem))
