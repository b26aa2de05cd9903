// What to ask for, and where, from environment variables.

import { randomUUID } from "node:crypto";

export function fromEnvironment(environment = process.env) {
  const required = (name) => {
    if (!environment[name]) {
      throw new Error(`set ${name}`);
    }
    return environment[name];
  };
  const requestId = environment.REQUEST_ID || randomUUID();
  return {
    amqpUrl: required("AMQP_URL"),
    jwksUrl: environment.JWKS_URL || null,
    requestId,
    patienceMillis: Number(environment.TIMEOUT_SECONDS || 60) * 1000,
    // A name and a password in, an ID token out.
    request: {
      instance: environment.INSTANCE || "username-transformer",
      input_token_state: {
        token_type: "USERNAME",
        username: environment.TOKEN_USER || "demo",
        password: required("TOKEN_PASSWORD"),
      },
      output_token_state: { token_type: "OPENIDCONNECT", nonce: requestId, allow_access: true },
    },
  };
}
