"""Pictures as SVG inside a page: elements whose text and attributes are escaped, with a title and a description.

Colours are not said here: elements have classes, and the page's style sheet has light, dark and printed colours for
them. Control and invisible characters of others' texts are written as escapes.
"""

from collections.abc import Sequence

from markupsafe import Markup, escape

from seatrial.policy.wording import printable

Attribute = str | float | None


def element(name: str, *children: str | Markup, **attributes: Attribute) -> Markup:
    """An element; attributes in Python's spelling (`class_`, `text_anchor`), those that are None are left out."""
    told = Markup("").join(
        Markup(' {}="{}"').format(_attribute_name(key), _value(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(each if isinstance(each, Markup) else escape(printable(each)) for each in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), told, inside)  # noqa: S704 -- names stand in our code


def picture(
    *children: Markup, width: float, height: float, name: str, title: str, description: str, class_: str = ""
) -> Markup:
    """A whole picture, with what it shows in words for those who don't see it; `name` is unique in the page."""
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-description"),
        *children,
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
        role="img",
        class_=class_ or None,
        aria_labelledby=f"{name}-title {name}-description",
    )


def rectangle(x: float, y: float, width: float, height: float, class_: str, *, hint: str = "") -> Markup:
    """A rectangle; the hint appears under the pointer."""
    return element("rect", *_hint(hint), x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, said: str, class_: str = "", *, anchor: str = "start", hint: str = "") -> Markup:
    """A text; `y` is its base line."""
    return element(
        "text", said, *_hint(hint), x=x, y=y, class_=class_ or None, text_anchor=None if anchor == "start" else anchor
    )


def outline(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Markup:
    """A line through points, or the area inside them."""
    told = " ".join(f"{_value(x)},{_value(y)}" for x, y in points)
    return element("polygon" if closed else "polyline", points=told, class_=class_)


def cut(said: str, most: int) -> str:
    """A text shortened in its middle: names differ at their ends."""
    if len(said) <= most:
        return said
    head = (most - 1) // 2
    return f"{said[:head]}…{said[-(most - 1 - head) :]}"


def _hint(said: str) -> tuple[Markup, ...]:
    return (element("title", said),) if said else ()


def _attribute_name(key: str) -> str:
    return "class" if key == "class_" else key.replace("_", "-")


def _value(value: Attribute) -> str:
    if isinstance(value, str):
        return printable(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")
