"""Files of pictures of a scan: the last as a PNG, all of them as a GIF, an MP4, or a page in one file."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stemscan.errors import MissingDependencyError, StemscanError, UsageError
from stemscan.files.writing import write_file
from stemscan.types import RGB

__all__ = ["SUFFIXES", "check_film", "write_film"]

_HOLD: Final = 12
"""Times that the last picture is shown as long as another one."""

_COLOURS: Final = 96


def check_film(path: Path) -> None:
    """Refuse a name that ends otherwise, and a film for which a program is missing.

    Raises
    ------
    UsageError, MissingDependencyError
    """
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise UsageError(f"expected a file that ends in {', '.join(SUFFIXES)}, got {str(path)!r}; rename it")
    if suffix == ".mp4":
        from matplotlib.animation import FFMpegWriter

        if not FFMpegWriter.isAvailable():
            raise MissingDependencyError(
                f"expected the program ffmpeg for {str(path)!r}, got none; install it, or write .gif or .html"
            )


def write_film(
    pictures: Sequence[RGB], captions: Sequence[str], path: Path, *, seconds: float, title: str, overwrite: bool = False
) -> None:
    """Write pictures in the format that the suffix names.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, (h, w, 3)
        All of one size; a PNG has the last one.
    captions : sequence of str
        One for each, for the page.
    path : pathlib.Path
        Ends in .png, .gif, .mp4 or .html.
    seconds : float
        Of the film until the last picture, which stands longer.
    title : str
        Of the page.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    UsageError, MissingDependencyError, InputNotFoundError, OutputExistsError, StemscanError
        When the name, a program or the place does not fit, or the system refuses to write.
    """
    check_film(path)
    writer = _WRITERS[path.suffix.lower()]
    step = seconds / len(pictures)
    write_file(path, lambda temporary: writer(pictures, captions, temporary, step, title), overwrite=overwrite)


Writer = Callable[[Sequence[RGB], Sequence[str], Path, float, str], None]


def _write_png(pictures: Sequence[RGB], captions: Sequence[str], path: Path, step: float, title: str) -> None:
    """The last picture."""
    path.write_bytes(_png(pictures[-1]))


def _write_gif(pictures: Sequence[RGB], captions: Sequence[str], path: Path, step: float, title: str) -> None:
    """A film that begins anew, in the colours of the last picture."""
    from PIL import Image

    palette = Image.fromarray(pictures[-1]).quantize(_COLOURS)
    frames = [Image.fromarray(one).quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures]
    lasting = [max(20, round(1000 * step))] * len(frames)
    lasting[-1] *= _HOLD
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:], duration=lasting, loop=0, optimize=True)


def _write_mp4(pictures: Sequence[RGB], captions: Sequence[str], path: Path, step: float, title: str) -> None:
    """A film for programs that show slides."""
    from matplotlib.animation import FFMpegWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    high, wide = (side // 2 * 2 for side in pictures[0].shape[:2])  # as the codec has it
    figure = Figure(figsize=(wide / 100, high / 100), dpi=100)
    FigureCanvasAgg(figure)
    rate: Any = 1 / step
    writer = FFMpegWriter(fps=rate, extra_args=["-pix_fmt", "yuv420p"])
    try:
        with writer.saving(figure, str(path), 100):
            for picture in [*pictures, *[pictures[-1]] * (_HOLD - 1)]:
                figure.figimage(picture[:high, :wide], origin="upper")
                writer.grab_frame()
                figure.images.clear()
    except Exception as problem:  # it raises whatever ffmpeg printed
        said = " ".join(str(problem).split())
        raise StemscanError(f"expected ffmpeg to write a film, got: {said}; write .gif or .html") from problem


def _write_html(pictures: Sequence[RGB], captions: Sequence[str], path: Path, step: float, title: str) -> None:
    """A page with a slide that needs nothing else, neither files nor a connection."""
    data = [f"data:image/png;base64,{base64.b64encode(_png(one)).decode()}" for one in pictures]
    spoken = json.dumps(list(captions)).replace("</", "<\\/")
    values = {"title": html.escape(title), "pictures": json.dumps(data), "captions": spoken}
    text = _PAGE
    for name, value in {**values, "step": str(round(1000 * step)), "last": str(len(data) - 1)}.items():
        text = text.replace(f"@{name}@", value)
    path.write_text(text, encoding="utf-8", newline="\n")


def _png(picture: RGB) -> bytes:
    """A picture as PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


_WRITERS: Final[Mapping[str, Writer]] = {
    ".png": _write_png,
    ".gif": _write_gif,
    ".mp4": _write_mp4,
    ".html": _write_html,
}

SUFFIXES: Final = tuple(_WRITERS)

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@title@</title>
<style>
  :root { color-scheme: light dark; font: 15px system-ui, sans-serif; }
  body { margin: 1rem auto; max-width: 1200px; padding: 0 1rem; }
  img { width: 100%; image-rendering: pixelated; background: white; }
  .row { display: flex; gap: .7rem; align-items: center; }
  input { flex: 1; }
  button { font: inherit; min-width: 5em; }
</style>
<h1 style="font-size: 1.1rem">@title@</h1>
<img id="picture" alt="counts so far and their reconstruction">
<div class="row">
  <button id="play">Play</button>
  <input id="slide" type="range" min="0" max="@last@" value="@last@" aria-label="moment of the scan">
</div>
<p id="caption" aria-live="polite"></p>
<script>
  const pictures = @pictures@, captions = @captions@;
  const slide = document.getElementById("slide"), play = document.getElementById("play");
  let timer = null;
  function show() {
    document.getElementById("picture").src = pictures[slide.value];
    document.getElementById("caption").textContent = captions[slide.value];
  }
  function stop() { clearInterval(timer); timer = null; play.textContent = "Play"; }
  function next() { if (+slide.value >= pictures.length - 1) { stop(); return; } slide.value++; show(); }
  play.onclick = () => {
    if (timer) { stop(); return; }
    if (+slide.value >= pictures.length - 1) { slide.value = 0; show(); }
    play.textContent = "Pause";
    timer = setInterval(next, @step@);
  };
  slide.oninput = () => { stop(); show(); };
  show();
</script>
</html>
"""
