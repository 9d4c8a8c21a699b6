"""The protobuf wire format: tagged varints and length-delimited bytes.

Written by hand because this is all that is needed: Kubernetes' messages are described by data (`messages`), not by
generated classes, and a library would have to be told the same. See "Encoding" in the Protocol Buffers documentation.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_SIGN = 1 << 63
_MODULUS = 1 << 64


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned varint and where the next thing begins."""
    result = shift = 0
    for offset in range(_LONGEST_VARINT):
        if position + offset >= len(data):
            raise WireError("unexpected EOF")
        byte = data[position + offset]
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & (_MODULUS - 1), position + offset + 1
        shift += 7
    raise WireError("integer overflow")


def read_fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Each field's number, wire type and value, in order; WireError for anything else."""
    position = 0
    while position < len(data):
        key, position = read_varint(data, position)
        number, wire_type = key >> 3, key & 7
        if not number:
            raise WireError("illegal tag 0")
        if wire_type == VARINT:
            value: int | bytes
            value, position = read_varint(data, position)
            yield number, wire_type, value
            continue
        if wire_type == BYTES:
            length, position = read_varint(data, position)
        elif wire_type in (FIXED32, FIXED64):
            length = 4 if wire_type == FIXED32 else 8
        else:
            raise WireError(f"illegal wireType {wire_type}")
        if length > len(data) - position:
            raise WireError("unexpected EOF")
        yield number, wire_type, data[position : position + length]
        position += length


def signed(value: int) -> int:
    """A varint as the signed 64-bit integer it stands for."""
    return value - _MODULUS if value & _SIGN else value


def varint(value: int) -> bytes:
    """An integer as a varint; negative ones take ten bytes."""
    value &= _MODULUS - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer_field(number: int, value: int) -> bytes:
    """A field that holds an integer or a boolean."""
    return varint(number << 3 | VARINT) + varint(value)


def bytes_field(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def double_field(number: int, data: bytes) -> bytes:
    """A field of eight bytes, given as they stand."""
    return varint(number << 3 | FIXED64) + data
