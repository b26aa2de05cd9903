"""Translation by message over MQTT 5, as Mosquitto speaks it.

``topics`` reads and makes topics, ``message`` reads a delivery, ``consumer`` gets it answered,
``client`` is one connection and all that touches the library's insides, ``slots`` leases numbers,
``names`` makes client ids of them, ``link`` is the connections of one slot, ``intake`` bounds what
is in hand, ``survivor`` serves what dead slots left behind, and ``transport`` rebuilds links for as
long as the broker runs. ``events`` announces, and ``alone`` is for answers that the server
ends a connection over. A delivery is acknowledged only after its effect is
stored and its answer is confirmed.
"""

from adapters.mqtt.transport import MqttTransport

__all__ = ["MqttTransport"]
