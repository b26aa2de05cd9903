"""Servers and brokers killed in the midst of work, and the proof that nothing was lost or doubled.

``python -m tests.chaos storm`` kills at random moments, ``… moments`` at every outbound system call
of one translation, and lets brokers stand still at such calls. docs/reliability.md says what is
proved.

==============  ==================================================================
``history``     what happened, as JSON lines
``world``       the servers and brokers of a run
``components``  how each of them is killed, stopped and started again
``scenario``    what the callers ask for, in which order
``over_http``   a caller over HTTP that asks again under the same id
``over_amqp``   the same over RabbitMQ
``over_mqtt``   the same over Mosquitto
``driver``      many callers at once, at the pace of the nemesis
``nemesis``     who is struck, how and when: all of it from one seed
``evidence``    what stands in stores, audits and queues when it is over
``checker``     the invariants
``tally``       the report
``storm``       a run of all of these
``points``      death at an exact moment
``stopped``     standstill at an exact moment
``tracing``     what strace does for these two
==============  ==================================================================
"""
