// An OAuth 2.0 server, oidc-provider, and an API that asks it about every token: by introspection, or by its public keys where the token
// is a JWT.

import { generateKeyPairSync } from "node:crypto";
import { createRemoteJWKSet, jwtVerify } from "jose";
import jsonServer from "json-server";
import Provider from "oidc-provider";
import { listen } from "../lib/server.mjs";

/** The API as a resource server: whoever asks for a token with `resource` gets a JWT for it. */
export const audience = "urn:example:orders";
export const scope = "read:orders";

/** Everything that a form, a URL or a header could take for something else. */
export const secrets = { basic: "s3cret + / ? & = % : a~b", post: "p0st & more=1 %20+:" };

/** Key pairs by the name of their algorithm. */
export const keys = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
};

export const pem = ({ privateKey }) => privateKey.export({ type: "pkcs8", format: "pem" });

/**
 * `tokenUrl`, `granted` and `refused` (what the token endpoint did, in order), `login(client)` (the refresh token of a person who has
 * logged in), `introspect(token)`, `revoke(token)`, `stop()`.
 */
export async function startLogin() {
  // It has to know where it is before it begins.
  const { url, server, stop } = await listen();
  const signing = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
  const machine = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [], scope };
  const person = {
    grant_types: ["authorization_code", "refresh_token"],
    redirect_uris: ["https://app.example.com/callback"],
    scope: `openid offline_access ${scope}`,
  };
  const provider = new Provider(url, {
    clients: [
      { ...machine, client_id: "by basic:auth", client_secret: secrets.basic, token_endpoint_auth_method: "client_secret_basic" },
      { ...machine, client_id: "by-post", client_secret: secrets.post, token_endpoint_auth_method: "client_secret_post" },
      { ...machine, client_id: "by-hmac", client_secret: "x".repeat(32), token_endpoint_auth_method: "client_secret_jwt" },
      ...Object.entries(keys).map(([algorithm, { publicKey }]) => ({
        ...machine,
        client_id: `by-${algorithm}`,
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: algorithm,
        jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: `key-of-${algorithm}`, use: "sig", alg: algorithm }] },
      })),
      { ...person, client_id: "app", client_secret: secrets.basic, token_endpoint_auth_method: "client_secret_basic" },
      { ...person, client_id: "public-app", application_type: "native", token_endpoint_auth_method: "none" },
      { ...machine, client_id: "api", client_secret: "api-secret" },
    ],
    clientAuthMethods: ["none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"],
    scopes: ["openid", "offline_access", scope],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === "api" },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } }),
        useGrantedResource: () => true,
      },
    },
    rotateRefreshToken: true,
    jwks: { keys: [{ ...signing, use: "sig", alg: "RS256" }] },
    cookies: { keys: ["of no use outside this test"] },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: () => "/none" },
    ttl: { AccessToken: 600, ClientCredentials: 600, Grant: 3600, IdToken: 600, RefreshToken: 3600 },
  });
  server.on("request", provider.callback());

  const granted = [];
  const refused = [];
  provider.on("grant.success", ({ oidc, body }) => granted.push({ client: oidc.client.clientId, ...oidc.params, answer: body }));
  provider.on("grant.error", ({ oidc }, error) => {
    const client = oidc?.client?.clientId ?? oidc?.params?.client_id;
    refused.push({ client, error: error.message, why: error.error_detail ?? error.error_description });
  });

  return {
    tokenUrl: `${url}/token`,
    keysUrl: `${url}/jwks`,
    issuer: url,
    granted,
    refused,
    async login(clientId) {
      const client = await provider.Client.find(clientId);
      const grant = new provider.Grant({ accountId: "ada", clientId });
      grant.addOIDCScope(`openid offline_access ${scope}`);
      grant.addResourceScope(audience, scope);
      const grantId = await grant.save();
      return new provider.RefreshToken({
        accountId: "ada",
        client,
        grantId,
        gty: "authorization_code",
        scope: `openid offline_access ${scope}`,
        rotations: 0,
        expiresWithSession: false,
      }).save();
    },
    async introspect(token) {
      const answer = await fetch(`${url}/token/introspection`, {
        method: "POST",
        headers: { Authorization: `Basic ${btoa("api:api-secret")}` },
        body: new URLSearchParams({ token }),
      });
      if (!answer.ok) throw new Error(`introspection: ${answer.status} ${await answer.text()}`);
      return answer.json();
    },
    async revoke(token) {
      const found = (await provider.ClientCredentials.find(token)) ?? (await provider.AccessToken.find(token));
      await found.destroy();
    },
    stop,
  };
}

/** Thirteen orders for whoever has a token of `login`. `asked` has the way of the check and the outcome of each request, in order. */
export async function startOrders(login) {
  const asked = [];
  const jwks = createRemoteJWKSet(new URL(login.keysUrl));
  /** The claims of a token that may read orders. */
  const verify = async (token) => {
    if (token.split(".").length !== 3) {
      const claims = await login.introspect(token);
      return ["introspection", claims.active && claims.scope.split(" ").includes(scope)];
    }
    try {
      const { payload } = await jwtVerify(token, jwks, { issuer: login.issuer, audience });
      return ["jwt", payload.scope.split(" ").includes(scope)];
    } catch (error) {
      return ["jwt", false];
    }
  };
  const app = jsonServer.create();
  let before;
  const served = new Map();
  let limit = Infinity;
  app.use((request, response, next) => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "none";
    // Pages are asked for side by side: one of the requests takes it, before anybody waits.
    const action = asked.length > 0 ? before : undefined;
    if (action) before = undefined;
    const seen = { token };
    asked.push(seen);
    Promise.resolve(action?.(token))
      .then(() => verify(token))
      .then(([by, good]) => {
        const limited = good && (served.get(token) ?? 0) >= limit;
        if (good && !limited) served.set(token, (served.get(token) ?? 0) + 1);
        Object.assign(seen, { by, good }, limited ? { limited } : {});
        if (limited) response.status(429).set("Retry-After", "60").json({ error: "rate_limited" });
        else if (good) next();
        else response.status(401).set("WWW-Authenticate", 'Bearer error="invalid_token"').json({ error: "invalid_token" });
      })
      .catch(next);
  });
  app.use(jsonServer.router({ orders: Array.from({ length: 13 }, (_, index) => ({ id: index + 1, total: index * 1.5 })) }));
  const { url, stop } = await listen(app);
  return {
    url,
    asked,
    /** Does something once, before the first request but one is looked at. */
    inTheMiddle: (action) => (before = action),
    /** So many requests with one token, and no more. */
    limitEach: (count) => (limit = count),
    stop,
  };
}
