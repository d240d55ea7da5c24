// One dry run of `ocean_custom`: what it printed and how it ended.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";

/**
 * `settings` are connection settings as the environment spells them (`BASE_URL`, `PASSWORD`), on top of the file.
 * The answer has `code`, `entities` (stdout, one object for each line) and `stderr`.
 */
export async function dryRun({ config, mapping, settings = {}, args = [] }) {
  const { code, stdout, stderr } = await ocean(["--config", config, "--mapping", mapping, "--dry-run", ...args], settings);
  const entities = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  for (const entity of entities) {
    for (const key of ["identifier", "blueprint", "properties", "relations"]) {
      assert.ok(key in entity, `an entity without ${key}: ${JSON.stringify(entity)}`);
    }
  }
  return { code, entities, stderr };
}

/** The runner with any arguments; two minutes at most. */
export function ocean(args, settings = {}) {
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("OCEAN__"));
  for (const [name, value] of Object.entries(settings)) {
    environment.push([`OCEAN__INTEGRATION__CONFIG__${name}`, value]);
  }
  return new Promise((done, failed) => {
    execFile(
      process.env.RUNNER,
      args,
      { env: Object.fromEntries(environment), timeout: 120_000, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== "number") failed(error);
        else done({ code: error ? error.code : 0, stdout, stderr });
      },
    );
  });
}

/** Entities by blueprint and identifier: children of different parents arrive in any order. */
export function sorted(entities) {
  const key = (entity) => `${entity.blueprint} ${entity.identifier}`;
  return [...entities].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
