"""Requests that come by message, whichever server brings them.

A transport (``adapters/amqp``, ``adapters/mqtt``) reads a delivery into an :class:`Envelope`, has
the :class:`Worker` work on it, and sends the :class:`Outcome` where its own protocol says; nothing
here knows a frame, a queue or a topic.

==============  ==================================================================
``envelope``    what a message server brought
``opening``     from the envelope to the bytes of a request: content types
``asked``       the checks before any work, and what is asked for
``worker``      the work, with its retries, and its outcome
==============  ==================================================================
"""
