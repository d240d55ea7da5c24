// Thirteen recorded issues of GitHub in five pages.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { dryRun } from "../lib/runner.mjs";
import { start } from "../lib/server.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const token = "token 0000000000000000000000000000000000000001";
let server;

before(async () => {
  server = await start(process.execPath, [path("server.mjs")], /listening on (http:\S+)/);
});
after(() => server?.stop());

test("thirteen_issues_arrive_over_five_pages", async () => {
  const url = await fixture();
  const { code, entities, stderr } = await read(url);

  assert.equal(code, 0, stderr);
  assert.deepEqual(entities, Array.from({ length: 13 }, (_, index) => issue(13 - index)));
  await assertAllServed(url);
});

test("answers_that_are_gone_make_the_read_incomplete", async () => {
  const url = await fixture();
  assert.equal((await read(url)).code, 0);
  const { code, entities, stderr } = await read(url);

  assert.equal(code, 1, stderr);
  assert.deepEqual(entities, []);
  assert.match(stderr, /incomplete/i);
});

test("the_token_stays_out_of_what_is_printed", async () => {
  const { code, stderr } = await read(await fixture(), { API_KEY: "token of-somebody-else" });

  assert.equal(code, 1, stderr);
  assert.match(stderr, /incomplete/i);
  assert.doesNotMatch(stderr, /of-somebody-else/);
});

/** The root URL of a fresh set of recorded answers; each is served once. */
async function fixture() {
  const answer = await fetch(`${server.address}/fixtures`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ scenario: "paginate-issues" }),
  });
  assert.equal(answer.status, 201);
  return (await answer.json()).url;
}

/** The server forgets a set of answers once all five were asked for. */
async function assertAllServed(url) {
  const answer = await fetch(`${url}/`, { headers: { Accept: "application/json" } });
  assert.match((await answer.json()).error, /^Fixture ".*" not found$/);
}

function read(url, settings = { API_KEY: token }) {
  return dryRun({ config: path("config.yml"), mapping: path("mapping.yml"), settings: { BASE_URL: url, ...settings } });
}

function issue(number) {
  return {
    identifier: `octokit-fixture-org/paginate-issues/issues/${number}`,
    title: `Test issue ${number}`,
    blueprint: "githubIssue",
    properties: {
      number,
      open: true,
      month: "2017-10",
      closedAt: null,
      labels: [],
      reactions: 0,
      link: `https://github.com/octokit-fixture-org/paginate-issues/issues/${number}`,
      summary: "no description",
      busy: "yes",
    },
    relations: {
      repository: "octokit-fixture-org/paginate-issues",
      reporter: "octokit-fixture-user-a",
      assignees: [],
      milestone: null,
    },
  };
}
