// Repositories and tags of a Docker registry: relative links, names with slashes, lists of plain strings.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { dryRun, ocean, sorted } from "../lib/runner.mjs";
import { password, startRegistry } from "./server.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const repositories = {
  hello: ["latest"],
  "infra/base": ["1.0", "1.1", "latest"],
  "infra/base/slim": ["1.1", "latest"],
  "team/api": ["2.0", "2.1", "latest"],
  "team/app": ["0.9", "1.0", "nightly"],
  "team/web/front": ["3.0", "latest"],
  "team/worker": ["latest", "v1"],
};
let registry;

before(async () => {
  registry = await startRegistry();
  for (const [name, tags] of Object.entries(repositories)) {
    await registry.push(name, tags);
  }
});
after(() => registry?.stop());

// The tests stand in order: the registry gets a repository that is half pushed, and then it dies.

test("validating_asks_the_registry_nothing", async () => {
  const asked = registry.asked(/./);
  const settings = { BASE_URL: registry.url, PASSWORD: password };
  const { code, stderr } = await ocean(["--config", path("config.yml"), "--mapping", path("mapping.yml"), "--validate"], settings);

  assert.equal(code, 0, stderr);
  assert.equal(registry.asked(/./), asked);
});

test("every_repository_and_every_tag_arrives_over_relative_links", async () => {
  const { code, entities, stderr } = await read("mapping.yml");

  assert.equal(code, 0, stderr);
  assert.deepEqual(sorted(entities), sorted([...expectedRepositories(), ...expectedImages()]));
  for (const name of Object.keys(repositories)) {
    assert.equal(registry.asked(new RegExp(`"GET /v2/${name}/tags/list HTTP`)), 1, name);
  }
});

test("one_kind_alone_is_read_in_the_order_of_the_registry", async () => {
  const { code, entities, stderr } = await read("mapping.yml", { args: ["--kind", "/v2/_catalog"] });

  assert.equal(code, 0, stderr);
  assert.deepEqual(entities, expectedRepositories());
});

test("a_wrong_password_reads_nothing_and_stays_secret", async () => {
  const { code, entities, stderr } = await read("mapping.yml", { PASSWORD: "rope-and-bollard" });

  assert.equal(code, 1, stderr);
  assert.deepEqual(entities, []);
  assert.match(stderr, /401/);
  assert.doesNotMatch(stderr, /rope-and-bollard/);
});

test("a_repository_without_tags_makes_its_kind_incomplete_and_no_other", async () => {
  // The catalog lists a repository from its first blob on; its tags are a 404 until a manifest comes.
  await registry.push("team/half-pushed", []);
  const { code, entities, stderr } = await read("mapping.yml");

  assert.equal(code, 1, stderr);
  assert.match(stderr, /incomplete/i);
  assert.match(stderr, /404/);
  assert.deepEqual(sorted(entities), sorted([...expectedRepositories(["team/half-pushed"]), ...expectedImages()]));
});

test("a_status_that_the_mapping_accepts_is_an_empty_list", async () => {
  const { code, entities, stderr } = await read("untagged-accepted.yml");

  assert.equal(code, 0, stderr);
  assert.deepEqual(
    sorted(entities),
    sorted(
      expectedImages((name) => name.startsWith("team/")).map(({ identifier, blueprint }) => ({
        identifier,
        blueprint,
        properties: {},
        relations: {},
      })),
    ),
  );
});

test("a_registry_that_is_gone_is_no_empty_registry", async () => {
  await registry.stop();
  const { code, entities, stderr } = await read("mapping.yml");

  assert.equal(code, 1, stderr);
  assert.deepEqual(entities, []);
  assert.match(stderr, /incomplete/i);
});

function read(mapping, { args = [], PASSWORD = password } = {}) {
  const settings = { BASE_URL: registry.url, PASSWORD };
  return dryRun({ config: path("config.yml"), mapping: path(mapping), settings, args });
}

function expectedRepositories(more = []) {
  return [...Object.keys(repositories), ...more].map((name) => {
    const parts = name.split("/");
    return {
      identifier: name,
      title: parts.at(-1),
      blueprint: "imageRepository",
      properties: { team: parts.length > 1 ? parts[0] : null, depth: parts.length },
      relations: {},
    };
  });
}

function expectedImages(chosen = () => true) {
  return Object.entries(repositories)
    .filter(([name]) => chosen(name))
    .flatMap(([name, tags]) =>
      tags.map((tag) => ({
        identifier: `${name}:${tag}`,
        title: tag,
        blueprint: "image",
        properties: { released: /^[0-9]+\.[0-9]+$/.test(tag), pull: `docker pull registry.example.com/${name}:${tag}` },
        relations: { repository: name },
      })),
    );
}
