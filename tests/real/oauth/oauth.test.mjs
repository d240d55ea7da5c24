// Tokens from oidc-provider, by every way that a client may show who it is, and an API that has each of them checked by that server.

import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { dryRun } from "../lib/runner.mjs";
import { audience, keys, pem, scope, secrets, startLogin, startOrders } from "./servers.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
let login;
let orders;
let folder;

before(async () => {
  login = await startLogin();
  orders = await startOrders(login);
  folder = await mkdtemp(join(tmpdir(), "longshore-oauth-"));
});
after(() => Promise.all([login?.stop(), orders?.stop()]));
beforeEach(() => {
  login.granted.length = login.refused.length = orders.asked.length = 0;
  orders.inTheMiddle(undefined);
  orders.limitEach(Infinity);
});

// Client credentials

test("client_secret_basic", async () => {
  await assertReads({ CLIENT_ID: "by basic:auth", CLIENT_SECRET: secrets.basic, CLIENT_AUTH: "basic" });
  assert.equal(login.granted[0].client_secret, undefined);
});

test("client_secret_basic_is_what_a_secret_alone_means", async () => {
  await assertReads({ CLIENT_ID: "by basic:auth", CLIENT_SECRET: secrets.basic });
  assert.equal(login.granted[0].client_secret, undefined);
});

test("client_secret_post", async () => {
  await assertReads({ CLIENT_ID: "by-post", CLIENT_SECRET: secrets.post, CLIENT_AUTH: "client_secret_post" });
  assert.equal(login.granted[0].client_secret, secrets.post);
});

test("client_secret_jwt", async () => {
  await assertReads({ CLIENT_ID: "by-hmac", CLIENT_SECRET: "x".repeat(32), CLIENT_AUTH: "client_secret_jwt" });
});

test("a_resource_gives_a_jwt_that_the_api_checks_by_itself", async () => {
  await assertReads({ CLIENT_ID: "by-post", CLIENT_SECRET: secrets.post, CLIENT_AUTH: "post", RESOURCE: audience }, "jwt");
});

test("a_wrong_secret_reads_nothing_and_stays_secret", async () => {
  const client = { CLIENT_ID: "by-post", CLIENT_SECRET: "rope-and-bollard", CLIENT_AUTH: "post" };
  const { stderr } = await assertRefused(client, /invalid_client/);
  assert.doesNotMatch(stderr, /rope-and-bollard/);
});

test("a_scope_that_the_client_may_not_have_is_named", async () => {
  await assertRefused({ CLIENT_ID: "by-post", CLIENT_SECRET: secrets.post, CLIENT_AUTH: "post", SCOPES: "openid" }, /invalid_scope/);
});

test("a_token_that_is_revoked_in_the_middle_is_renewed_once", async () => {
  orders.inTheMiddle((token) => login.revoke(token));
  const { code, entities, stderr } = await read({ CLIENT_ID: "by-post", CLIENT_SECRET: secrets.post, CLIENT_AUTH: "post" });

  assert.equal(code, 0, stderr);
  assert.deepEqual(identifiers(entities), everyOrder);
  assert.equal(login.granted.length, 2);
  assert.ok(orders.asked.some(({ good }) => !good));
});

// private_key_jwt (RFC 7523)

for (const [algorithm, pair] of Object.entries(keys)) {
  const client = { CLIENT_ID: `by-${algorithm}`, PRIVATE_KEY_ID: `key-of-${algorithm}` };

  test(`private_key_jwt_with_${algorithm}_from_a_file`, async () => {
    const file = join(folder, `${algorithm}.pem`);
    await writeFile(file, pem(pair), { mode: 0o600 });
    await assertReads({ ...client, CLIENT_AUTH: "private_key_jwt", PRIVATE_KEY: file });
    const { header, claims } = assertionOf(login.granted[0]);
    assert.equal(header.alg, algorithm);
    assert.equal(header.kid, `key-of-${algorithm}`);
    assert.equal(claims.aud, login.tokenUrl);
  });

  test(`private_key_jwt_with_${algorithm}_from_text_and_the_issuer_as_audience`, async () => {
    const settings = { SIGNING_ALGORITHM: algorithm, ASSERTION_AUDIENCE: login.issuer, RESOURCE: audience };
    await assertReads({ ...client, ...settings, PRIVATE_KEY: pem(pair) }, "jwt");
    assert.equal(assertionOf(login.granted[0]).claims.aud, login.issuer);
  });
}

test("each_assertion_is_used_once", async () => {
  // The server keeps a list of them: a second login with the same would be refused.
  orders.inTheMiddle((token) => login.revoke(token));
  const { code, stderr } = await read({ CLIENT_ID: "by-ES256", PRIVATE_KEY: pem(keys.ES256) });

  assert.equal(code, 0, stderr);
  const [first, second] = login.granted.map((one) => assertionOf(one).claims.jti);
  assert.ok(first && second && first !== second);
});

test("the_key_of_somebody_else_is_refused", async () => {
  await assertRefused({ CLIENT_ID: "by-RS256", PRIVATE_KEY: pem(keys.ES256) }, /invalid_client/);
});

// Refresh tokens that the server replaces at each use

test("a_refresh_token_is_replaced_and_the_new_one_is_kept", async () => {
  const first = await login.login("app");
  const file = join(folder, "tokens.json");
  const settings = { ...app, REFRESH_TOKEN: first, TOKEN_FILE: file };

  await assertReads(settings);
  await assertReads(settings);
  await assertReads(settings);
  const used = login.granted.map(({ refresh_token }) => refresh_token);
  const given = login.granted.map(({ answer }) => answer.refresh_token);
  assert.deepEqual(used, [first, ...given.slice(0, 2)]);
  assert.equal(new Set(used).size, 3);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.ok((await readFile(file, "utf8")).includes(given[2]));
});

test("a_public_client_shows_its_id_alone", async () => {
  const settings = { CLIENT_ID: "public-app", GRANT_TYPE: "refresh_token", REFRESH_TOKEN: await login.login("public-app") };
  await assertReads({ ...settings, TOKEN_FILE: join(folder, "public.json") });
});

test("a_refresh_token_that_was_used_is_refused_and_stays_secret", async () => {
  const first = await login.login("app");
  const [file, old] = [join(folder, "new.json"), join(folder, "old.json")];
  const settings = { ...app, REFRESH_TOKEN: first };
  await assertReads({ ...settings, TOKEN_FILE: file });
  await copyFile(file, old);
  await assertReads({ ...settings, TOKEN_FILE: file });
  const second = login.granted.at(-1).refresh_token;

  const { stderr } = await assertRefused({ ...settings, TOKEN_FILE: old }, /invalid_grant/);
  assert.match(login.refused.at(-1).why, /already used/);
  assert.doesNotMatch(stderr, new RegExp(`${first}|${second}`));
  // The server takes a token that is used twice for stolen and ends the whole login, the newest token included.
  await assertRefused({ ...settings, TOKEN_FILE: file }, /invalid_grant/);
});

test("a_new_login_counts_more_than_what_is_kept_of_the_old_one", async () => {
  const file = join(folder, "again.json");
  await assertReads({ ...app, REFRESH_TOKEN: await login.login("app"), TOKEN_FILE: file });
  const anew = await login.login("app");
  await assertReads({ ...app, REFRESH_TOKEN: anew, TOKEN_FILE: file });
  assert.equal(login.granted.at(-1).refresh_token, anew);
});

test("a_run_goes_on_with_the_refresh_token_that_it_was_just_given", async () => {
  orders.inTheMiddle((token) => login.revoke(token));
  const { code, entities, stderr } = await read({ ...app, REFRESH_TOKEN: await login.login("app") });

  assert.equal(code, 0, stderr);
  assert.deepEqual(identifiers(entities), everyOrder);
  const [first, second] = login.granted;
  assert.equal(second.refresh_token, first.answer.refresh_token);
});

// Several credentials for one API

test("a_resource_may_have_a_login_of_its_own", async () => {
  const settings = { CLIENT_ID: "by-post", CLIENT_SECRET: secrets.post, CLIENT_AUTH: "post", ...named("signed", signed) };
  const { code, entities, stderr } = await read(settings, "several.yml");

  assert.equal(code, 0, stderr);
  for (const blueprint of ["order", "signed_order"]) {
    assert.deepEqual(identifiers(entities.filter((entity) => entity.blueprint === blueprint)), everyOrder);
  }
  assert.deepEqual(login.granted.map(({ client }) => client).sort(), ["by-ES256", "by-post"]);
  for (const { answer } of login.granted) {
    assert.equal(orders.asked.filter(({ token, good }) => good && token === answer.access_token).length, 3);
  }
});

test("where_one_login_is_limited_the_next_goes_on_at_once", async () => {
  orders.limitEach(2);
  const post = { CLIENT_ID: "by-post", CLIENT_SECRET: secrets.post, CLIENT_AUTH: "post" };
  const begun = Date.now();
  const { code, entities, stderr } = await read({ AUTH_TYPE: "rotate", ROTATE: '["post", "signed"]', ...named("post", post), ...named("signed", signed) });

  assert.equal(code, 0, stderr);
  assert.deepEqual(identifiers(entities), everyOrder);
  assert.deepEqual(login.granted.map(({ client }) => client), ["by-post", "by-ES256"]);
  assert.ok(orders.asked.some(({ limited }) => limited));
  assert.ok(Date.now() - begun < 30_000, "nobody waits for the limit of the first");
});

const signed = { CLIENT_ID: "by-ES256", PRIVATE_KEY: pem(keys.ES256) };
const named = (name, settings) => {
  const all = { AUTH_TYPE: "oauth2", TOKEN_URL: login.tokenUrl, SCOPES: scope, ...settings };
  return Object.fromEntries(Object.entries(all).map(([key, value]) => [`CREDENTIALS__${name.toUpperCase()}__${key}`, value]));
};
const app = { CLIENT_ID: "app", CLIENT_SECRET: secrets.basic, GRANT_TYPE: "refresh_token", SCOPES: "openid offline_access read:orders" };
const everyOrder = Array.from({ length: 13 }, (_, index) => `${index + 1}`);

/** All is read with one token, and each request was checked this way. */
async function assertReads(settings, by = "introspection") {
  const [granted, asked] = [login.granted.length, orders.asked.length];
  const { code, entities, stderr } = await read(settings);

  assert.equal(code, 0, `${stderr}\n${JSON.stringify(login.refused)}`);
  assert.deepEqual(identifiers(entities), everyOrder);
  assert.equal(login.granted.length, granted + 1);
  const token = login.granted.at(-1).answer.access_token;
  assert.deepEqual(orders.asked.slice(asked), Array(3).fill({ by, good: true, token }));
  assert.ok(!stderr.includes(token));
}

/** Nothing is read, the API is asked nothing, and the server's reason is named. */
async function assertRefused(settings, reason) {
  const asked = orders.asked.length;
  const { code, entities, stderr } = await read(settings);

  assert.equal(code, 1, stderr);
  assert.deepEqual(entities, []);
  assert.match(stderr, reason);
  assert.match(stderr, /incomplete/i);
  assert.equal(orders.asked.length, asked);
  return { stderr };
}

function read(settings, mapping = "mapping.yml") {
  const urls = { BASE_URL: orders.url, TOKEN_URL: login.tokenUrl };
  return dryRun({ config: path("config.yml"), mapping: path(mapping), settings: { ...urls, ...settings } });
}

const identifiers = (entities) => entities.map(({ identifier }) => identifier).sort((a, b) => a - b);

function assertionOf({ client_assertion }) {
  const part = (text) => JSON.parse(Buffer.from(text, "base64url"));
  const [header, claims] = client_assertion.split(".");
  return { header: part(header), claims: part(claims) };
}
