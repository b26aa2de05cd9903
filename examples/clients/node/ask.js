// Asks a Remint broker for one token over RabbitMQ, and prints it.
//
// The request is sent with the same id until RabbitMQ has it and a final answer came: whatever
// breaks meanwhile, one token is issued. The end of the program says how it ended: 0 with a token,
// 1 when the broker refused, 2 when the outcome is unknown (ask again with the same REQUEST_ID).

import { randomUUID } from "node:crypto";
import { setTimeout as paused } from "node:timers/promises";

import amqp from "amqplib";

import { CONTENT_TYPE, Sealer } from "./sealer.js";
import { fromEnvironment } from "./settings.js";

const QUEUE = "remint.requests";
const PAUSE_MILLIS = 500;
const FIRST_REFUSAL = 400;

// One connection, one request, one answer. Throws where the connection or the request is lost.
async function attempt(settings, sealer, until) {
  const connection = await amqp.connect(settings.amqpUrl);
  let timer;
  try {
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue("", { exclusive: true });
    const correlationId = randomUUID();
    const answered = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error("no answer in time")), until - Date.now());
      connection.on("error", reject);
      connection.on("close", () => reject(new Error("the connection was closed")));
      channel.on("error", reject);
      channel.on("return", () => reject(new Error("the queue is not there yet")));
      channel
        .consume(queue, (message) => {
          if (message === null) {
            reject(new Error("the reply queue is gone"));
          } else if (message.properties.correlationId === correlationId) {
            resolve(message);
          }
        }, { noAck: true })
        .catch(reject);
    });
    answered.catch(() => {}); // it may fail before anybody waits for it
    const body = sealer ? await sealer.seal(settings.request) : JSON.stringify(settings.request);
    channel.sendToQueue(QUEUE, Buffer.from(body), {
      mandatory: true,
      persistent: true,
      type: "translate",
      messageId: settings.requestId,
      correlationId,
      replyTo: queue,
      userId: decodeURIComponent(new URL(settings.amqpUrl).username || "guest"),
      contentType: sealer ? CONTENT_TYPE : "application/json",
    });
    await channel.waitForConfirms();
    return await read(await answered, sealer);
  } finally {
    clearTimeout(timer);
    connection.removeAllListeners("error");
    connection.on("error", () => {});
    await connection.close().catch(() => {});
  }
}

async function read(message, sealer) {
  const { status, retry } = message.properties.headers;
  const sealed = message.properties.contentType === CONTENT_TYPE;
  if (sealer && !sealed && status < FIRST_REFUSAL) {
    throw new Error("an encrypted request was answered in the clear");
  }
  const text = message.content.toString("utf8");
  return { status, retry, body: JSON.parse(sealed ? await sealer.open(text) : text) };
}

async function main() {
  const settings = fromEnvironment();
  const sealer = settings.jwksUrl ? await Sealer.from(settings.jwksUrl) : null;
  const until = Date.now() + settings.patienceMillis;
  while (Date.now() < until) {
    try {
      const answer = await attempt(settings, sealer, until);
      if (answer.status < FIRST_REFUSAL) {
        console.log(answer.body.issued_token);
        return 0;
      }
      console.error(`${answer.status} ${answer.body.message}`);
      if (answer.retry !== "same-id") {
        return 1;
      }
    } catch (error) {
      console.error(`lost: ${error.code ?? error.message}`);
    }
    await paused(PAUSE_MILLIS);
  }
  console.error(`outcome unknown: ask again with REQUEST_ID=${settings.requestId}`);
  return 2;
}

process.exitCode = await main();
