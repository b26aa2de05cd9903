"""Translation by message over MQTT 5, against a real Mosquitto."""
