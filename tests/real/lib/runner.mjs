// One dry run of `ocean_custom`: what it printed and how it ended.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * `settings` are connection settings as the environment spells them (`BASE_URL`, `PASSWORD`), on top of the file, if there is one.
 * The answer has `code`, `entities` (stdout, one object for each line) and `stderr`.
 */
export async function dryRun({ config, mapping, settings = {}, args = [] }) {
  const files = [...(config ? ["--config", config] : []), "--mapping", mapping];
  const { code, stdout, stderr } = await ocean([...files, "--dry-run", ...args], settings);
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

/** The runner with any arguments; two minutes at most. `more` is put into its environment as it is. */
export function ocean(args, settings = {}, more = {}) {
  return new Promise((done, failed) => {
    execFile(
      process.env.RUNNER,
      args,
      { env: environment(settings, more), timeout: 120_000, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== "number") failed(error);
        else done({ code: error ? error.code : 0, stdout, stderr });
      },
    );
  });
}

/**
 * The runner that runs on: `printed(count)` waits until that many reports are on stdout, `terminate()` sends SIGTERM and gives `code` and
 * `stderr`.
 */
export function running(args, settings = {}, more = {}) {
  const child = spawn(process.env.RUNNER, args, { env: environment(settings, more), stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  let [stdout, stderr] = ["", ""];
  const lines = () => stdout.split("\n").length - 1;
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));

  return {
    printed: (count) =>
      new Promise((done, failed) => {
        const stop = (settle, value) => {
          clearTimeout(patience);
          child.stdout.off("data", look);
          settle(value);
        };
        const look = () => lines() >= count && stop(done);
        const patience = setTimeout(() => {
          child.kill("SIGKILL");
          stop(failed, new Error(`${lines()} reports of ${count}:\n${stderr}`));
        }, 60_000);
        ended.then(([code]) => stop(failed, new Error(`ended with ${code} after ${lines()} reports:\n${stderr}`)));
        child.stdout.on("data", look);
        look();
      }),
    async terminate() {
      child.kill("SIGTERM");
      const [code] = await ended;
      return { code, stderr };
    },
  };
}

/** This process's, without settings of whoever runs the tests. */
function environment(settings, more) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("OCEAN__"));
  const set = Object.entries(settings).map(([name, value]) => [`OCEAN__INTEGRATION__CONFIG__${name}`, value]);
  return Object.fromEntries([...kept, ...set, ...Object.entries(more)]);
}

/** Entities by blueprint and identifier: children of different parents arrive in any order. */
export function sorted(entities) {
  const key = (entity) => `${entity.blueprint} ${entity.identifier}`;
  return [...entities].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
