"""Lines from chunks: how a watch's stream is cut into events.

An event may be longer than the limit of `StreamReader.readline()`, and chunks end anywhere.
"""

_MOST_BYTES = 64 * 1024 * 1024


class LineTooLongError(ValueError):
    """A line that no API server would send; the rest of the stream can't be trusted."""


class LineSplitter:
    """Takes chunks as they arrive and gives the lines that are complete; each byte is looked at once."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._pieces: list[bytes] = []
        self._pending_bytes = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without empty ones.

        Raises:
            LineTooLongError: too much has come without an end of line.
        """
        first, newline, rest = chunk.partition(b"\n")
        if not newline:
            self._keep(chunk)
            return []
        lines = [b"".join([*self._pieces, first]), *rest.split(b"\n")]
        self._pieces, self._pending_bytes = [], 0
        self._keep(lines.pop())
        return [line for line in lines if line.strip()]

    def _keep(self, piece: bytes) -> None:
        self._pending_bytes += len(piece)
        if self._pending_bytes > self._most_bytes:
            raise LineTooLongError(f"a line longer than {self._most_bytes} bytes")
        if piece:
            self._pieces.append(piece)
