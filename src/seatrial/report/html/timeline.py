"""A round as a picture: its steps, what lasted, and its probes, one below the other on one scale of time."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from seatrial.policy.wording import counted
from seatrial.report.html.scale import Scale
from seatrial.report.run_report.model import ProbeLane, RoundDetail, Span, StepTold
from seatrial.report.svg import cut, line, picture, rectangle, text
from seatrial.report.words import MARKS, TONES, seconds, tick

_WIDTH = 960
_LABELS = 250
_RIGHT = 30
_ROW = 24
_TOP = 30
_BAR = 14
_MOST_SPANS = 12
_LETTERS = 34
_KINDS = {"fault": "Faults", "outage": "Outages", "mesh": "Mesh not whole"}


def timeline(detail: RoundDetail, *, name: str) -> Markup:
    """The picture; wide, for a box that scrolls."""
    scale = Scale(0, _length(detail), _LABELS, _WIDTH - _RIGHT)
    drawing = _Drawing(scale)
    drawing.heading("Steps")
    for step in detail.steps:
        drawing.step(step)
    for kind, heading in _KINDS.items():
        spans = [each for each in detail.spans if each.kind == kind]
        if spans:
            drawing.heading(heading)
        for label, of_label in list(_by_label(spans).items())[:_MOST_SPANS]:
            drawing.spans(label, of_label)
        if len(_by_label(spans)) > _MOST_SPANS:
            drawing.note(f"and {counted(len(_by_label(spans)) - _MOST_SPANS, 'other')}")
    if detail.lanes:
        drawing.heading("Probes")
    for lane in detail.lanes:
        drawing.lane(lane)
    return picture(
        *drawing.axis(),
        *drawing.parts,
        width=_WIDTH,
        height=drawing.y + 8,
        name=name,
        title=f"Timeline of round {detail.round}",
        description=" ".join(_in_words(detail)),
        class_="timeline",
    )


class _Drawing:
    """Rows from top to bottom; `y` is where the next one begins."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.parts: list[Markup] = []
        self.y: float = _TOP

    def axis(self) -> Iterator[Markup]:
        for value in self.scale.ticks(8):
            x = self.scale(value)
            yield line(x, _TOP - 8, x, self.y, "grid")
            yield text(x, 14, tick(value), "tick", anchor="middle")

    def heading(self, said: str) -> None:
        self.parts.append(text(0, self.y + 15, said, "lane-heading"))
        self.y += _ROW

    def note(self, said: str) -> None:
        self.parts.append(text(12, self.y + 15, said, "tick"))
        self.y += _ROW

    def step(self, step: StepTold) -> None:
        end = self.scale.high if step.seconds is None else step.start_seconds + step.seconds
        tone = TONES[step.verdict] if step.verdict else "open"
        mark = MARKS[step.verdict] if step.verdict else "…"
        said = f"{step.index + 1}. {step.key}, {step.verdict or 'not ended'}, {seconds(step.seconds)}"
        self._label(f"{step.index + 1}. {step.key}", said)
        right = self._bar(step.start_seconds, end, f"bar {tone}", said)
        self._mark(right, mark, f"mark {tone}")
        self.y += _ROW

    def spans(self, label: str, spans: Sequence[Span]) -> None:
        self._label(label, label)
        for span in spans:
            end = self.scale.high if span.end_seconds is None else span.end_seconds
            length = "its end was not seen" if span.end_seconds is None else seconds(end - span.start_seconds)
            said = f"{label}: {span.text}; {length}" if span.text else f"{label}: {length}"
            right = self._bar(span.start_seconds, end, f"bar {span.kind}", said)
            if span.end_seconds is None:
                self._mark(right, "→", "mark")
            elif len(spans) == 1:
                self._mark(right, length, "mark")
        self.y += _ROW

    def lane(self, lane: ProbeLane) -> None:
        good = sum(each.succeeded for each in lane.buckets)
        bad = sum(each.failed for each in lane.buckets)
        self._label(lane.probe, f"{lane.probe}: {good} succeeded, {bad} failed")
        middle = self.y + _ROW / 2
        for bucket in lane.buckets:
            left, right = self.scale(bucket.start_seconds), self.scale(bucket.end_seconds)
            width = max(right - left - 0.6, 1.0)
            if bucket.failed:
                said = f"{bucket.failed} of {bucket.failed + bucket.succeeded} failed"
                self.parts.append(rectangle(left, middle - 9, max(width, 2.0), 18, "bar bad", hint=said))
            elif bucket.succeeded:
                self.parts.append(rectangle(left, middle - 3, width, 6, "bar good"))
            else:
                self.parts.append(rectangle(left, middle - 1, width, 2, "bar open", hint="nothing seen"))
        self.y += _ROW

    def _label(self, said: str, hint: str) -> None:
        self.parts.append(text(12, self.y + 16, cut(said, _LETTERS), "label", hint=hint))

    def _bar(self, start: float, end: float, class_: str, hint: str) -> float:
        left, right = self.scale(start), self.scale(end)
        right = max(right, left + 2)
        self.parts.append(rectangle(left, self.y + (_ROW - _BAR) / 2, right - left, _BAR, class_, hint=hint))
        return right

    def _mark(self, right: float, said: str, class_: str) -> None:
        """Beside the bar; inside it where there is no room beside it."""
        room = 7.0 * len(said) + 8
        if right + room > _WIDTH:
            self.parts.append(text(right - 5, self.y + 16, said, f"{class_} inside", anchor="end"))
        else:
            self.parts.append(text(right + 5, self.y + 16, said, class_))


def _length(detail: RoundDetail) -> float:
    ends = [each.end_seconds or each.start_seconds for each in detail.spans]
    return max([detail.seconds, 0.001, *ends])


def _by_label(spans: Sequence[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(span.label, []).append(span)
    return found


def _in_words(detail: RoundDetail) -> Iterator[str]:
    yield f"{seconds(detail.seconds)} in all."
    for step in detail.steps:
        told = f"{seconds(step.seconds)}, {step.verdict}" if step.verdict else "not ended"
        yield f"Step {step.index + 1}, {step.key}: from {seconds(step.start_seconds)} on, {told}."
    for span in detail.spans[:_MOST_SPANS]:
        end = "on, its end was not seen" if span.end_seconds is None else f"to {seconds(span.end_seconds)}"
        yield f"{_KINDS[span.kind]}: {span.label}, from {seconds(span.start_seconds)} {end}."
    for lane in detail.lanes:
        failed = sum(each.failed for each in lane.buckets)
        total = failed + sum(each.succeeded for each in lane.buckets)
        yield f"Probe {lane.probe}: {failed} of {total} samples failed."
