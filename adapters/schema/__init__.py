"""What programs may rely on, for machines: JSON Schemas and an AsyncAPI document.

==============  ==================================================================
``states``      token states, the members that requests are made of
``bodies``      the bodies of requests and answers
``headers``     what stands around a body, in AMQP and MQTT
``channels``    queues, exchanges and topics
``asyncapi``    the AsyncAPI 3.0 document of all that
``files``       the files in ``docs/schema``; ``python -m adapters.schema`` writes them
==============  ==================================================================

All of it is made from the names and limits that the code itself goes by. What can be asked over
HTTP is described by ``adapters.http.openapi``.
"""
