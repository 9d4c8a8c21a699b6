"""The heatmap: who calls (rows), who answers (columns), and how many milliseconds it took.

Colours run from green over yellow to red between three limits, which a request may set (`?t0=1&t1=10&t2=100`, as in
the real one). Failed calls are dark with a cross.
"""

import asyncio
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

    Draw = ImageDraw.ImageDraw
    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

Limits = tuple[int, int, int]
Colour = tuple[int, int, int]

_DEFAULT_LIMITS: Limits = (1, 10, 100)
_GREEN, _YELLOW, _RED = (52, 168, 83), (244, 190, 60), (206, 62, 54)
_FAILED, _UNKNOWN, _INK, _PAPER = (58, 28, 36), (225, 228, 232), (36, 41, 47), (255, 255, 255)
_CELL_WIDTH, _CELL_HEIGHT, _GAP, _MARGIN = 64, 34, 3, 16


def thresholds(query: Mapping[str, str]) -> Limits:
    """The limits in milliseconds that a query asks for; nonsense means the default."""
    limits = list(_DEFAULT_LIMITS)
    for index in range(len(limits)):
        value = query.get(f"t{index}", "")
        if value.isascii() and value.isdigit():
            limits[index] = int(value)
    first, second, third = sorted(limits)
    return first, second, third


def colour(milliseconds: int, limits_ms: Limits) -> Colour:
    """The colour of a delay."""
    low, middle, high = limits_ms
    if milliseconds <= low:
        return _GREEN
    if milliseconds <= middle:
        return _between(_GREEN, _YELLOW, (milliseconds - low) / (middle - low))
    if milliseconds < high:
        return _between(_YELLOW, _RED, (milliseconds - middle) / (high - middle))
    return _RED


async def draw(check_all: Mapping[str, Any], *, limits_ms: Limits, names: Mapping[str, str]) -> bytes:
    """The PNG of a `CheckAllResults`; drawn in a thread, for calls go on meanwhile."""
    return await asyncio.to_thread(_png, check_all["responses"], limits_ms, names)


def _png(responses: Mapping[str, Any], limits_ms: Limits, names: Mapping[str, str]) -> bytes:
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 -- heavy: `preload` loads it for machines

    pods = sorted(responses.keys() | {name for answer in responses.values() for name in _results(answer)})
    labels = [f"{index + 1}  {names.get(pod, pod)}" for index, pod in enumerate(pods)]
    font, small = ImageFont.load_default(14), ImageFont.load_default(12)
    left = _MARGIN * 2 + int(max((font.getlength(label) for label in labels), default=80))
    top = 64
    width = max(left + len(pods) * (_CELL_WIDTH + _GAP) + _MARGIN, 420)
    image = Image.new("RGB", (width, top + len(pods) * (_CELL_HEIGHT + _GAP) + 44), _PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((_MARGIN, 10), "who calls (rows), who answers (columns), milliseconds", fill=_INK, font=font)
    for row, (caller, label) in enumerate(zip(pods, labels, strict=True)):
        y = top + row * (_CELL_HEIGHT + _GAP)
        pen.text((_MARGIN, y + _CELL_HEIGHT // 2), label, fill=_INK, font=font, anchor="lm")
        pen.text((left + row * (_CELL_WIDTH + _GAP) + _CELL_WIDTH // 2, top - 12), str(row + 1), _INK, font, "mm")
        for column, answerer in enumerate(pods):
            x = left + column * (_CELL_WIDTH + _GAP)
            _cell(pen, (x, y), _results(responses.get(caller, {})).get(answerer), limits_ms, small)
    _legend(pen, (_MARGIN, image.height - 30), limits_ms, small)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _cell(
    pen: "Draw", corner: tuple[int, int], result: Mapping[str, Any] | None, limits_ms: Limits, font: "Font"
) -> None:
    x, y = corner
    if result is None:
        fill, text = _UNKNOWN, ""
    elif not result["OK"]:
        fill, text = _FAILED, "failed"
    else:
        delay = int(result["response-time-ms"])
        fill, text = colour(delay, limits_ms), str(delay)
    pen.rounded_rectangle((x, y, x + _CELL_WIDTH, y + _CELL_HEIGHT), radius=4, fill=fill)
    pen.text((x + _CELL_WIDTH // 2, y + _CELL_HEIGHT // 2), text, fill=_PAPER, font=font, anchor="mm")


def _legend(pen: "Draw", corner: tuple[int, int], limits_ms: Limits, font: "Font") -> None:
    x, y = corner
    low, middle, high = limits_ms
    for fill, text in (
        (_GREEN, f"up to {low} ms"),
        (_YELLOW, f"{middle} ms"),
        (_RED, f"{high} ms or more"),
        (_FAILED, "failed"),
    ):
        pen.rounded_rectangle((x, y, x + 16, y + 16), radius=3, fill=fill)
        pen.text((x + 22, y + 8), text, fill=_INK, font=font, anchor="lm")
        x += 38 + int(font.getlength(text))


def _results(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    results: Mapping[str, Any] = (answer.get("response") or {}).get("podResults") or {}
    return results


def _between(start: Colour, end: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue
