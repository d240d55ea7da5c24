// The same 157 records out of every list: found out by `type: auto`, by a preset, or as somebody would write it down.

import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { dryRun } from "../lib/runner.mjs";
import { count, startServers } from "./servers.mjs";

const auto = { type: "auto" };
const preset = (name) => ({ preset: name });
const everyone = Array.from({ length: count }, (_, index) => `${index + 1}`);

/** Where a list is, what it is asked for beside its pages, and every way of paging that reads it. */
const lists = [
  {
    server: "django",
    path: "/page",
    data_path: ".results",
    ways: [auto, preset("django"), { type: "page", sizeParam: "page_size" }, { type: "page", sizeParam: "page_size", size: 20 }],
  },
  { server: "django", path: "/offset", data_path: ".results", ways: [auto, preset("django"), { type: "offset" }] },
  { server: "django", path: "/cursor", data_path: ".results", ways: [auto, preset("django")] },
  {
    server: "django",
    path: "/json-api/page",
    data_path: ".data",
    ways: [auto, preset("jsonapi"), { type: "page", param: "page[number]", sizeParam: "page[size]", totalPath: "meta.pagination.count" }],
  },
  {
    server: "django",
    path: "/json-api/offset",
    data_path: ".data",
    ways: [auto, preset("jsonapi"), { type: "offset", param: "page[offset]", sizeParam: "page[limit]" }],
  },
  { server: "fastapi", path: "/page", data_path: ".items", ways: [auto, { type: "page" }, { type: "page", size: 7 }] },
  { server: "fastapi", path: "/offset", data_path: ".items", ways: [auto, { type: "offset" }] },
  {
    server: "fastapi",
    path: "/links/page",
    data_path: ".items",
    ways: [auto, preset("jsonapi"), { type: "next_link", nextLinkPath: "links.next" }],
  },
  { server: "fastapi", path: "/links/offset", data_path: ".items", ways: [auto, preset("jsonapi")] },
  {
    server: "datasette",
    path: "/harbour/crates.json",
    data_path: ".rows",
    query_params: { _shape: "objects" },
    ways: [
      auto,
      { type: "next_link", nextLinkPath: "next_url" },
      { type: "cursor", param: "_next", sizeParam: "_size", cursorPath: "next" },
    ],
  },
  { server: "json-server", path: "/crates", data_path: ".", query_params: { _page: 1 }, ways: [auto, { type: "header_link" }] },
  {
    server: "json-server",
    path: "/crates",
    data_path: ".",
    ways: [
      { type: "page", param: "_page", sizeParam: "_limit", size: 30 },
      { type: "offset", param: "_start", sizeParam: "_limit" },
    ],
  },
  { server: "scim", path: "/scim/Users", data_path: ".Resources", ways: [auto, preset("scim")] },
];

let servers;
let folder;

before(async () => {
  servers = await startServers();
  folder = await mkdtemp(join(tmpdir(), "longshore-mappings-"));
});
after(() => servers?.stop());

for (const { server, path, data_path, query_params = {}, ways } of lists) {
  for (const pagination of ways) {
    const written = Object.entries(pagination).map(([key, value]) => `${key}: ${value}`);
    test(`${server} ${path} by ${written.join(", ")}`, async () => {
      const mapping = join(folder, "mapping.yml");
      const resource = {
        kind: path,
        selector: { query: "true", data_path, query_params, pagination },
        port: { entity: { mappings: { identifier: ".id | tostring", blueprint: '"crate"' } } },
      };
      // JSON is YAML.
      await writeFile(mapping, JSON.stringify({ resources: [resource] }));
      const { code, entities, stderr } = await dryRun({ mapping, settings: { BASE_URL: servers.urls[server] } });

      assert.equal(code, 0, stderr);
      assert.deepEqual(entities.map(({ identifier }) => identifier), everyone);
    });
  }
}
