"""Properties that the client library cannot read must not end the connection.

Anyone who may publish can write properties that a message server passes on and the library refuses,
such as text with U+FEFF in it. The library gives up the connection at such a message, which is then
delivered again, and again. It also takes a time that grows with the square of their size to read
many. So the function that decodes a PUBLISH is replaced here: properties that cannot be read, or
are too large, become None, and the message takes the road of any other malformed one.
"""

from __future__ import annotations

import struct

from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers

MAX_PROPERTY_BYTES = 16 * 1024

_decode = _packet.decode_publish
_LENGTH = struct.Struct("!H")


def _decode_or_none(
    header: int, packet: bytes | bytearray, protocol: MQTTProtocolVersion
) -> _packet.PublishPacket:
    """The decoded PUBLISH (MQTT 5, section 3.3), its properties None if they are no good.

    Raises what the library raises for a packet that is broken beyond its properties.
    """
    if protocol != MQTTProtocolVersion.MQTTv5:
        return _decode(header, packet, protocol)
    qos = (header & 0x06) >> 1
    data = bytes(packet)
    (length,) = _LENGTH.unpack_from(data)
    topic, rest = data[2 : 2 + length], 2 + length
    mid = 0
    if qos > 0:
        (mid,) = _LENGTH.unpack_from(data, rest)
        rest += 2
    size, taken = VariableByteIntegers.decode(data[rest : rest + 4])  # type: ignore[no-untyped-call]
    end = rest + taken + size
    return _packet.PublishPacket(
        dup=bool(header & 0x08),
        qos=qos,
        retain=bool(header & 0x01),
        topic=topic,
        mid=mid,
        properties=_properties(data[rest:end]) if size <= MAX_PROPERTY_BYTES else None,
        payload=data[end:],
    )


def _properties(data: bytes) -> Properties | None:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    try:
        properties.unpack(data)  # type: ignore[no-untyped-call]
    except Exception:
        return None
    return properties


def tolerate_unreadable_properties() -> None:
    """Put the tolerant decoder in place; calling it again changes nothing."""
    _packet.decode_publish = _decode_or_none
