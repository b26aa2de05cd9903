"""Properties that the client library cannot read must not end the connection.

Anyone who may publish can write properties that RabbitMQ passes on unread: text that is not
UTF-8, a time beyond the calendar, tables nested without end. The library gives up the whole
connection at such a message, which is then delivered again, and again. So the one function that
decodes properties is wrapped here: what it cannot read becomes :class:`UnreadableProperties`, and
the message takes the road of any other malformed one.
"""

from __future__ import annotations

import struct

import pamqp.frame
from pamqp.commands import Basic
from pamqp.header import ContentHeader

_HEADER_START = struct.Struct(">HHQ")  # class, weight, body size: AMQP 0-9-1 section 4.2.6.1


class UnreadableProperties(Basic.Properties):
    """Stands where properties were that cannot be decoded; every property is absent."""


_decode = pamqp.frame._unmarshal_header_frame


def _decode_or_stand_in(frame_data: bytes) -> ContentHeader:
    """The decoded header; raises what the library raised if not even its start is there."""
    try:
        return _decode(frame_data)
    except Exception:
        if len(frame_data) < _HEADER_START.size:
            raise
        _, weight, body_size = _HEADER_START.unpack_from(frame_data)
        return ContentHeader(weight, body_size, UnreadableProperties())


def tolerate_unreadable_properties() -> None:
    """Put the tolerant decoder in place; calling it again changes nothing."""
    pamqp.frame._unmarshal_header_frame = _decode_or_stand_in
