"""Translation by message over AMQP 0-9-1, as RabbitMQ speaks it.

``topology`` names the queues, ``message`` reads a delivery, ``request`` decides what it asks for,
``consumer`` gets it answered, ``publisher`` sends confirmed messages, ``quiet`` knows the queues
that confirm none, ``room`` keeps places for others beside what waits for those, ``link`` is one
connection's life, and ``transport`` rebuilds links for as long as the broker runs. A delivery is
acknowledged only after its effect is stored and its answer is confirmed; whatever fails before that
is delivered again, and the request ledger keeps it one translation.
"""

from adapters.amqp.transport import AmqpTransport

__all__ = ["AmqpTransport"]
