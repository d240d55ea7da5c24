// What the runner asks of Port in a sync, a second one, parts side by side and a reconcile, polling, and a new integration: every request
// that Port's published description lists is held against it by Prism.

import assert from "node:assert/strict";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ocean, running, sorted } from "../lib/runner.mjs";
import { description, isDescribed, startApi, startPort, startPrism } from "./servers.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const files = ["--config", path("config.yml"), "--mapping", path("mapping.yml")];
const skip = !isDescribed && !process.env.CI && "Port's description is not beside this project";
let prism;
let port;
let api;

before(async () => {
  if (skip) return;
  assert.ok(isDescribed, `${description} is missing`);
  prism = await startPrism();
  port = await startPort(prism);
  api = await startApi(database());
});
after(() => Promise.all([prism, port, api].map((server) => server?.stop())));

// The tests stand in order: Port keeps what it has, and the API changes.

test("the_first_sync_creates_everything", { skip }, async () => {
  const { code, stderr } = await sync();

  assert.equal(code, 0, stderr);
  await assertInStep();
  assert.deepEqual((await port.report()).deleted, []);
});

test("a_second_sync_writes_what_has_changed_and_deletes_what_is_gone", { skip }, async () => {
  await api.change("/people/3", { name: "Somebody Else" });
  await api.change("/people/7", { team: null });
  await api.change("/people/8", { active: false });
  await api.change("/teams/1", { channels: [] });
  await api.remove("/tasks/102");
  // Its three tasks go along.
  await api.remove("/projects/11");
  await api.add("/tasks", { id: 999, projectId: 12, title: "New", done: false, due: null, blockedBy: ["12/120"] });
  const before = (await port.report()).requests.length;
  await port.letAnHourPass();
  const { code, stderr } = await sync();

  assert.equal(code, 0, stderr);
  await assertInStep();
  const report = await port.report();
  assert.deepEqual(
    report.deleted.map(([blueprint, identifier]) => `${blueprint} ${identifier}`).sort(),
    ["person p8@example.com", "project 11", "task 10/102", "task 11/110", "task 11/111", "task 11/112"],
  );
  const written = report.requests
    .slice(before)
    .filter(({ path }) => path.endsWith("/entities/bulk"))
    .flatMap(({ body }) => JSON.parse(body).entities.map(({ identifier }) => identifier));
  assert.deepEqual(written.sort(), ["12/999", "blue", "p3@example.com", "p7@example.com"]);
});

test("parts_side_by_side_and_a_reconcile", { skip }, async () => {
  await api.remove("/people/9");
  await api.remove("/tasks/999");
  await api.change("/projects/12", { title: "Renamed" });
  await port.letAnHourPass();
  const folder = await mkdtemp(join(tmpdir(), "longshore-shards-"));
  for (const shard of ["0/2", "1/2"]) {
    const { code, stderr } = await sync(["--shard", shard, "--shard-dir", folder]);
    assert.equal(code, 0, stderr);
  }
  const { code, stderr } = await ocean(["reconcile", folder, ...files], connection(), ofPort("first"));

  assert.equal(code, 0, stderr);
  await assertInStep();
});

test("a_running_integration_syncs_when_port_asks_for_it", { skip }, async () => {
  const listener = JSON.stringify({ type: "POLLING", interval: 1, resyncOnStart: true });
  const more = { OCEAN__EVENT_LISTENER: listener, OCEAN__LISTEN: "none" };
  const runner = running(["--config", path("config.yml")], connection(), { ...ofPort("first"), ...more });
  await runner.printed(1);
  await port.letAnHourPass();
  await api.remove("/people/10");
  await api.change("/people/4", { name: "Renamed While It Runs" });
  await port.askForResync("first");
  await runner.printed(2);
  const { code, stderr } = await runner.terminate();

  assert.equal(code, 0, stderr);
  await assertInStep();
});

test("a_new_integration_with_blueprints_from_the_first_records", { skip }, async () => {
  const empty = await startPort(prism);
  try {
    const { code, stderr } = await ocean(["init", "--infer", ...files], connection(), ofPort("second", empty));
    assert.equal(code, 0, stderr);
    const { requests, violations } = await empty.report();

    assert.deepEqual(wrong(requests), []);
    assert.deepEqual(violations, []);
    const created = requests.filter(({ method, path }) => method === "POST" && path === "/v1/blueprints");
    assert.deepEqual(
      created.map(({ body }) => JSON.parse(body).identifier).sort(),
      ["person", "project", "task", "team"],
    );
  } finally {
    await empty.stop();
  }
});

test("no_request_breaks_the_description", { skip }, async (t) => {
  const { requests, violations } = await port.report();

  assert.deepEqual(wrong(requests), []);
  assert.deepEqual(violations, [], "found by the double");
  const routes = await listedRoutes();
  const counts = new Map();
  for (const request of requests) {
    const name = request.checked ? routeOf(routes, request) : `${unlisted(request)} (not listed: the double alone)`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  for (const [name, count] of [...counts].sort()) t.diagnostic(`${String(count).padStart(4)}  ${name}`);
  for (const route of [
    "POST /v1/auth/access_token",
    "POST /v1/blueprints",
    "PATCH /v1/blueprints/{identifier}",
    "GET /v1/integration/{identifier}",
    "POST /v1/blueprints/{blueprint_identifier}/entities/bulk",
    "POST /v1/blueprints/{blueprint_identifier}/bulk/entities/delete",
    "POST /v1/entities/search",
  ]) {
    assert.ok(counts.get(route) > 0, `${route} was not asked: ${[...counts.keys()]}`);
  }
});

test("a_request_that_breaks_the_description_is_seen", { skip }, async (t) => {
  // One request of each route that passed, sent again with one thing broken.
  const routes = await listedRoutes();
  const { requests } = await port.report();
  const passed = new Map(requests.filter(({ checked }) => checked).map((one) => [routeOf(routes, one), one]));
  let seen = 0;
  for (const [route, request] of passed) {
    for (const [what, broken] of Object.entries(brokenIn(request))) {
      assert.notDeepEqual(wrong([await askAgain(broken)]), [], `${route} passed with ${what}`);
      seen += 1;
    }
    assert.deepEqual(wrong([await askAgain(request)]), [], `${route} as it was`);
  }
  t.diagnostic(`${seen} ways to break ${passed.size} routes, all seen`);
});

/** The request with one thing broken, by what that is. */
function brokenIn(request) {
  const { headers, query, path } = request;
  const body = request.body && JSON.parse(request.body);
  const entities = path.includes("/entities/") && body?.entities;
  const broken = {};
  const withBody = (what, value) => (broken[what] = { ...request, body: JSON.stringify(value) });
  if (headers.authorization) {
    const { authorization, ...anonymous } = headers;
    broken["no token"] = { ...request, headers: anonymous };
  }
  if (/=(true|false)/.test(query ?? "")) {
    broken["a query that is not boolean"] = { ...request, query: query.replaceAll(/=(true|false)/g, "=maybe") };
  }
  if (/upsert=|delete_dependents=/.test(query ?? "")) broken["a query that is needed and missing"] = { ...request, query: null };
  if (body) {
    withBody("a body that is a list", []);
    broken["a body of another type"] = { ...request, headers: { ...headers, "content-type": "text/plain" } };
  }
  if (entities) {
    withBody("no entities", { entities: [] });
    withBody("too many entities", { entities: Array(101).fill(entities[0]) });
    withBody("a key that is not listed", { ...body, more: 1 });
  }
  if (path.endsWith("/entities/bulk")) {
    withBody("an identifier with a blank", { entities: [{ ...entities[0], identifier: "a b" }] });
    withBody("a title that is null", { entities: [{ ...entities[0], title: null }] });
    withBody("a relation that is a number", { entities: [{ ...entities[0], relations: { to: 1 } }] });
  }
  if (body?.clientSecret) withBody("no secret", { clientId: body.clientId });
  if (body?.schema) withBody("a schema that is a list", { ...body, schema: [] });
  return broken;
}

/** What came of it. */
async function askAgain({ method, path, query, headers, body }) {
  const { host, connection, "content-length": length, ...kept } = headers;
  await fetch(`${port.url}${path}${query ? `?${query}` : ""}`, { method, headers: kept, body });
  return (await port.report()).requests.at(-1);
}

/** What Prism found wrong, one line each. */
function wrong(requests) {
  return requests.flatMap(({ method, path, violations }) => violations.map((text) => `${method} ${path}: ${text}`));
}

async function listedRoutes() {
  const { paths } = JSON.parse(await readFile(description, "utf8"));
  return Object.entries(paths).flatMap(([template, operations]) => {
    const pattern = new RegExp(`^${template.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`);
    return Object.keys(operations).map((method) => ({ name: `${method.toUpperCase()} ${template}`, template, pattern }));
  });
}

/** The route with the fewest parameters that fits. */
function routeOf(routes, { method, path }) {
  const fitting = routes.filter(({ name, pattern }) => name.startsWith(`${method} `) && pattern.test(path));
  const parameters = ({ template }) => template.split("{").length;
  return fitting.sort((a, b) => parameters(a) - parameters(b))[0]?.name ?? `${method} ${path}, which no route is`;
}

function unlisted({ method, path }) {
  return `${method} ${path.replace(/integration\/[^/]+/, "integration/{identifier}").replace(/kinds\/[^/]+/, "kinds/{kind}")}`;
}

function sync(args = ["--once"]) {
  return ocean([...files, ...args], connection(), ofPort("first"));
}

const connection = () => ({ BASE_URL: api.url });

function ofPort(identifier, at = port) {
  return {
    OCEAN__PORT__BASE_URL: at.url,
    OCEAN__PORT__CLIENT_ID: "id",
    OCEAN__PORT__CLIENT_SECRET: "secret",
    OCEAN__INTEGRATION__IDENTIFIER: identifier,
    OCEAN__RESOURCES_PATH: path("resources"),
  };
}

/** Port has what the API has, neither more nor less. */
async function assertInStep() {
  const { entities } = await port.report();
  const seen = entities.map(({ identifier, title, icon, team, blueprint, properties, relations }) =>
    JSON.parse(JSON.stringify({ identifier, title, icon, team, blueprint, properties, relations })),
  );
  assert.deepEqual(sorted(seen), sorted(expected(api.data)));
}

function expected({ teams, people, projects, tasks }) {
  return [
    ...teams.map(({ slug, name, channels, lead }) => ({
      identifier: slug,
      title: name,
      blueprint: "team",
      properties: { channels },
      relations: { lead },
    })),
    ...people
      .filter(({ active }) => active)
      .map(({ email, name, team }) => ({
        identifier: email,
        title: name,
        icon: "User",
        team: ["people"],
        blueprint: "person",
        properties: { email },
        relations: { team },
      })),
    ...projects.map(({ id, title, budget, members }) => ({
      identifier: `${id}`,
      title,
      blueprint: "project",
      properties: { budget },
      relations: { members },
    })),
    ...tasks.map(({ id, projectId, title, done, due, blockedBy }) => ({
      identifier: `${projectId}/${id}`,
      title,
      blueprint: "task",
      properties: { done, due },
      relations: { project: `${projectId}`, blockedBy },
    })),
  ];
}

/** Three teams, 45 people, 12 projects with three tasks each. */
function database() {
  const range = (from, count) => Array.from({ length: count }, (_, index) => from + index);
  const slugs = ["blue", "red+green", "größe_3"];
  return {
    teams: slugs.map((slug, index) => ({
      id: index + 1,
      slug,
      name: `Team ${slug}`,
      channels: [`#${index}`, "#all"],
      lead: `p${index + 1}@example.com`,
    })),
    people: range(1, 45).map((id) => ({
      id,
      email: `p${id}@example.com`,
      name: `Person ${id}`,
      team: id % 5 === 0 ? null : slugs[id % 3],
      active: true,
    })),
    projects: range(1, 12).map((id) => ({
      id,
      title: `Project ${id}`,
      budget: id / 4,
      members: range(id, 3).map((person) => `p${person + 20}@example.com`),
    })),
    tasks: range(1, 12).flatMap((projectId) =>
      range(projectId * 10, 3).map((id) => ({
        id,
        projectId,
        title: `Task ${id}`,
        done: id % 2 === 0,
        due: id % 3 === 0 ? null : "2026-03-01T12:00:00Z",
        blockedBy: id % 10 === 0 ? [] : [`${projectId}/${id - 1}`],
      })),
    ),
  };
}
