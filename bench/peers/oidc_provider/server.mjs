// An oidc-provider as its users set one up: JWT access tokens for two resource servers, one signed
// RS256 and one ES256, by client credentials or by token exchange (RFC 8693).
//
//     node server.mjs settings.json
//
// It listens on a free port of 127.0.0.1, and then prints its issuer and the version of Node.js.
// The settings: client { id, secret }, jwks (our private keys), trusted { issuer, audience,
// jwks }, and resources { URI: JWS algorithm }.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createLocalJWKSet, jwtVerify } from 'jose';
import Provider, { errors } from 'oidc-provider';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const LIFETIME_SECONDS = 3600;
const KEEP_ALIVE_MS = 65_000; // longer than a client is idle between two requests

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const resources = new Map(Object.entries(settings.resources));

// jose imports each of these keys once, at its first use.
const trustedKeys = createLocalJWKSet(settings.trusted.jwks);
const trusted = {
  issuer: settings.trusted.issuer,
  audience: settings.trusted.audience,
  algorithms: ['RS256'],
  requiredClaims: ['sub', 'exp', 'jti'],
};

function resourceServerInfo(resource) {
  const alg = resources.get(resource);
  if (!alg) {
    throw new errors.InvalidTarget();
  }
  return {
    scope: '',
    audience: resource,
    accessTokenFormat: 'jwt',
    accessTokenTTL: LIFETIME_SECONDS,
    jwt: { sign: { alg } },
  };
}

function configuration() {
  return {
    clients: [{
      client_id: settings.client.id,
      client_secret: settings.client.secret,
      grant_types: ['client_credentials', TOKEN_EXCHANGE],
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [],
      response_types: [],
    }],
    jwks: settings.jwks,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, resource) => resourceServerInfo(resource),
      },
    },
  };
}

async function subjectOf(token) {
  try {
    const { payload } = await jwtVerify(token, trustedKeys, trusted);
    return payload.sub;
  } catch (error) {
    throw new errors.InvalidGrant('subject_token is not valid', error.code);
  }
}

async function exchange(ctx) {
  const { client, params, provider } = ctx.oidc;
  if (!params.subject_token || params.subject_token_type !== JWT) {
    throw new errors.InvalidRequest(`a subject_token of the type ${JWT} is needed`);
  }
  if (params.requested_token_type && params.requested_token_type !== ACCESS_TOKEN) {
    throw new errors.InvalidRequest(`requested_token_type must be ${ACCESS_TOKEN}`);
  }
  const info = resourceServerInfo(params.resource);
  const token = new provider.AccessToken({
    accountId: await subjectOf(params.subject_token),
    client,
    gty: 'token_exchange',
  });
  token.resourceServer = new provider.ResourceServer(params.resource, info);
  ctx.oidc.entity('AccessToken', token);
  const accessToken = await token.save();
  ctx.body = {
    access_token: accessToken,
    issued_token_type: ACCESS_TOKEN,
    token_type: token.tokenType,
    expires_in: token.expiration,
  };
}

const server = createServer();
server.keepAliveTimeout = KEEP_ALIVE_MS;
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration());
  provider.registerGrantType(TOKEN_EXCHANGE, exchange, [
    'resource', 'requested_token_type', 'subject_token', 'subject_token_type',
  ]);
  provider.on('server_error', (_ctx, error) => console.error(error));
  server.on('request', provider.callback());
  console.log(`${issuer} ${process.version}`);
});

process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
