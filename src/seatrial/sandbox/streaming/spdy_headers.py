"""Header blocks of SPDY/3: names and values, counted and compressed.

A connection has one compressor for each direction that lives as long as it does; both start from a dictionary that
the protocol lays down (SPDY Protocol, Draft 3.1, section 2.6.10). Its words are prefixed by their length, like names
in a block, so that a whole entry is found in it.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Final

_WORDS: Final = (
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding",
    "accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection",
    "content-base", "content-encoding", "content-language", "content-length", "content-location", "content-md5",
    "content-range", "content-type", "date", "etag", "expect", "expires", "from", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location",
    "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after",
    "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning",
    "www-authenticate", "method", "get", "status",
)  # fmt: skip
_LATER_WORDS: Final = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_REST: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
_LONGEST_BLOCK: Final = 64 * 1024


def _dictionary(words: Iterable[str], rest: str) -> bytes:
    return b"".join(struct.pack(">I", len(word)) + word.encode() for word in words) + rest.encode()


DICTIONARY: Final = _dictionary((*_WORDS, *_LATER_WORDS), _REST)


class HeaderError(ValueError):
    """A header block that can't be read."""


class HeaderCompressor:
    """Writes one direction's header blocks."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def encode(self, headers: Mapping[str, str]) -> bytes:
        """The block of these headers; names are written in lower case."""
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                parts += [struct.pack(">I", len(text)), text]
        return self._deflate.compress(b"".join(parts)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


class HeaderDecompressor:
    """Reads the other direction's header blocks."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def decode(self, block: bytes) -> dict[str, str]:
        """The headers of a block, names in lower case.

        Raises:
            HeaderError: it isn't one, or it is longer than anybody needs.
        """
        try:
            plain = self._inflate.decompress(block, _LONGEST_BLOCK)
        except zlib.error as error:
            raise HeaderError(str(error)) from error
        if self._inflate.unconsumed_tail:
            raise HeaderError("a header block is too long")
        return _parse(plain)


def _parse(plain: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    try:
        (count,) = struct.unpack_from(">I", plain)
        place = 4
        for _ in range(count):
            name, place = _text(plain, place)
            value, place = _text(plain, place)
            headers[name.lower()] = value
    except (struct.error, UnicodeDecodeError) as error:
        raise HeaderError(str(error)) from error
    return headers


def _text(plain: bytes, place: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", plain, place)
    end = place + 4 + length
    if end > len(plain):
        raise HeaderError("a header reaches beyond its block")
    return plain[place + 4 : end].decode(), end
