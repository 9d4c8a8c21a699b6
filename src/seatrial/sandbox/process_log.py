"""Where the sandbox's processes say what happens: a file that may lie on a full disk, which must end none of them."""

import contextlib
import io
import os


class ProcessLog(io.TextIOBase):
    """A text stream that writes each text at once, and drops what the disk doesn't take.

    Args:
        descriptor: the open file.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The open file."""
        return self._descriptor

    def write(self, text: str) -> int:
        """Write, or drop."""
        data = text.encode(errors="backslashreplace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]
        return len(text)
