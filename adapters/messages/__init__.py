"""Requests that come by message, whichever server brings them.

A transport (``adapters/amqp``, ``adapters/mqtt``) reads a delivery into an :class:`Envelope`, has
the :class:`Worker` work on it, and sends the :class:`Outcome` where its own protocol says; nothing
here knows a frame, a queue or a topic.

==============  ==================================================================
``envelope``    what a message server brought
``opening``     from the envelope to the bytes of a request: encrypted, signed, or in the clear
``asked``       the checks before any work, and what is asked for
``copies``      a request that came twice is worked on once at a time
``suspects``    messages that may have ended the broker
``worker``      the work, with its retries, and its outcome
``breaker``     pauses while the store is down
``lifetime``    one link after another, and a drain at the end
==============  ==================================================================
"""
