package example;

import com.nimbusds.jose.util.JSONObjectUtils;
import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Asks a Remint broker for one token over RabbitMQ, and prints it.
 *
 * <p>The request is sent with the same id until RabbitMQ has it and a final answer came: whatever
 * breaks meanwhile, one token is issued. The end of the program says how it ended: 0 with a token,
 * 1 when the broker refused, 2 when the outcome is unknown (ask again with the same REQUEST_ID).
 */
public final class AskForToken {

    private static final String QUEUE = "remint.requests";
    private static final int CONFIRM_MILLIS = 15_000;
    private static final Duration PAUSE = Duration.ofMillis(500);
    private static final int PERSISTENT = 2;
    private static final int FIRST_REFUSAL = 400;

    private final Settings settings;
    private final Sealer sealer;
    private final Instant until;

    private AskForToken(Settings settings) throws Exception {
        this.settings = settings;
        this.sealer = settings.jwksUrl().isEmpty() ? null : new Sealer(settings.jwksUrl());
        this.until = Instant.now().plus(settings.patience());
    }

    public static void main(String[] arguments) throws Exception {
        int code = new AskForToken(Settings.fromEnvironment()).run();
        System.out.flush();
        System.exit(code);
    }

    private int run() throws Exception {
        while (Instant.now().isBefore(until)) {
            try {
                Answer answer = attempt();
                if (answer != null && !answer.retry().equals("same-id")) {
                    return report(answer);
                }
            } catch (IOException | TimeoutException | AlreadyClosedException lost) {
                System.err.println("lost: " + reason(lost));
            }
            Thread.sleep(PAUSE.toMillis());
        }
        System.err.println("outcome unknown: ask again with REQUEST_ID=" + settings.requestId());
        return 2;
    }

    /** One connection, one request, one answer; null if none came in time. */
    private Answer attempt() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        // The broker's own setting takes a URL that ends in a slash for the virtual host "/"; this
        // library takes it for one without a name.
        factory.setUri(settings.amqpUrl().replaceFirst("(//[^/]+)/$", "$1"));
        factory.setAutomaticRecoveryEnabled(false);
        try (Connection connection = factory.newConnection();
                Channel channel = connection.createChannel()) {
            BlockingQueue<Delivery> inbox = new LinkedBlockingQueue<>();
            String correlation = UUID.randomUUID().toString();
            String replies = channel.queueDeclare().getQueue();
            channel.basicConsume(
                    replies, true, (tag, delivery) -> inbox.add(delivery), tag -> { });
            channel.confirmSelect();
            channel.addReturnListener(returned -> inbox.add(NOT_TAKEN));
            channel.basicPublish("", QUEUE, true, properties(factory, replies, correlation), body());
            if (!channel.waitForConfirms(CONFIRM_MILLIS)) {
                return null;
            }
            return answer(connection, inbox, correlation);
        }
    }

    /** What the answer says; null where the request was not taken, or the connection is gone. */
    private Answer answer(Connection connection, BlockingQueue<Delivery> inbox, String correlation)
            throws Exception {
        while (connection.isOpen() && Instant.now().isBefore(until)) {
            Delivery delivery = inbox.poll(PAUSE.toMillis(), TimeUnit.MILLISECONDS);
            if (delivery == NOT_TAKEN) {
                return null;
            }
            if (delivery != null
                    && correlation.equals(delivery.getProperties().getCorrelationId())) {
                return read(delivery);
            }
        }
        return null;
    }

    private Answer read(Delivery delivery) throws Exception {
        AMQP.BasicProperties properties = delivery.getProperties();
        String text = new String(delivery.getBody(), StandardCharsets.UTF_8);
        boolean sealed = Sealer.CONTENT_TYPE.equals(properties.getContentType());
        int status = ((Number) properties.getHeaders().get("status")).intValue();
        if (sealer != null && !sealed && status < FIRST_REFUSAL) {
            throw new IOException("an encrypted request was answered in the clear");
        }
        Map<String, Object> body = JSONObjectUtils.parse(sealed ? sealer.open(text) : text);
        return new Answer(status, properties.getHeaders().get("retry").toString(), body);
    }

    private int report(Answer answer) {
        if (answer.status() >= FIRST_REFUSAL) {
            System.err.println(answer.status() + " " + answer.body().get("message"));
            return 1;
        }
        System.out.println(answer.body().get("issued_token"));
        return 0;
    }

    private AMQP.BasicProperties properties(
            ConnectionFactory factory, String replies, String correlation) {
        return new AMQP.BasicProperties.Builder()
                .type("translate")
                .messageId(settings.requestId())
                .correlationId(correlation)
                .replyTo(replies)
                .userId(factory.getUsername())
                .contentType(sealer == null ? "application/json" : Sealer.CONTENT_TYPE)
                .deliveryMode(PERSISTENT)
                .build();
    }

    private byte[] body() throws Exception {
        Map<String, Object> request = settings.request();
        String text =
                sealer == null ? JSONObjectUtils.toJSONString(request) : sealer.seal(request);
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String reason(Exception lost) {
        Throwable cause = lost.getCause() == null ? lost : lost.getCause();
        return cause.getClass().getSimpleName() + " " + cause.getMessage();
    }

    /** Stands in the inbox for a request that RabbitMQ gave back: its queue is not there yet. */
    private static final Delivery NOT_TAKEN = new Delivery(null, null, null);

    private record Answer(int status, String retry, Map<String, Object> body) { }
}
