// Encrypts requests to the broker (RFC 7516), and opens the answers to them.

import * as jose from "jose";

export const CONTENT_TYPE = "application/jose";

const CONTENT_ENCRYPTION = "A256GCM";
const REPLY_ALGORITHM = "ECDH-ES";
const ALGORITHMS = { EC: "ECDH-ES", RSA: "RSA-OAEP-256" };

export class Sealer {
  static async from(jwksUrl) {
    const response = await fetch(jwksUrl);
    if (!response.ok) {
      throw new Error(`the key set answers ${response.status}`);
    }
    const { keys } = await response.json();
    const jwk = keys.find((key) => key.use === "enc" && key.kid && ALGORITHMS[key.kty]);
    if (!jwk) {
      throw new Error("the key set has no key to encrypt to");
    }
    const sealer = new Sealer();
    sealer.header = { alg: ALGORITHMS[jwk.kty], enc: CONTENT_ENCRYPTION, kid: jwk.kid };
    sealer.broker = await jose.importJWK(jwk, sealer.header.alg);
    sealer.own = await jose.generateKeyPair(REPLY_ALGORITHM, { crv: "P-256" });
    sealer.replyJwk = await jose.exportJWK(sealer.own.publicKey);
    return sealer;
  }

  async seal(request) {
    const inside = JSON.stringify({ ...request, reply_jwk: this.replyJwk });
    return new jose.CompactEncrypt(new TextEncoder().encode(inside))
      .setProtectedHeader(this.header)
      .encrypt(this.broker);
  }

  async open(answer) {
    const opened = await jose.compactDecrypt(answer, this.own.privateKey, {
      keyManagementAlgorithms: [REPLY_ALGORITHM],
      contentEncryptionAlgorithms: [CONTENT_ENCRYPTION],
    });
    return new TextDecoder().decode(opened.plaintext);
  }
}
