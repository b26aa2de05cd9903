"""Tests of the AMQP transport, against a real RabbitMQ."""
