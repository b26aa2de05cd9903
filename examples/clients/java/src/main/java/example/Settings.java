package example;

import java.time.Duration;
import java.util.Map;
import java.util.UUID;

/** What to ask for, and where, from environment variables. */
record Settings(
        String amqpUrl,
        String jwksUrl,
        String instance,
        String user,
        String password,
        String requestId,
        Duration patience) {

    static Settings fromEnvironment() {
        return new Settings(
                required("AMQP_URL"),
                optional("JWKS_URL", ""),
                optional("INSTANCE", "username-transformer"),
                optional("TOKEN_USER", "demo"),
                required("TOKEN_PASSWORD"),
                optional("REQUEST_ID", UUID.randomUUID().toString()),
                Duration.ofSeconds(Long.parseLong(optional("TIMEOUT_SECONDS", "60"))));
    }

    /** The request: a name and a password in, an ID token out. */
    Map<String, Object> request() {
        return Map.of(
                "instance", instance,
                "input_token_state",
                        Map.of("token_type", "USERNAME", "username", user, "password", password),
                "output_token_state",
                        Map.of(
                                "token_type", "OPENIDCONNECT",
                                "nonce", requestId,
                                "allow_access", true));
    }

    private static String required(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("set " + name);
        }
        return value;
    }

    private static String optional(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }
}
