// Lists in the ways of frameworks that many APIs are built with: those of Python in a process of their own, json-server and SCIM in this
// one.

import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import jsonServer from "json-server";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";
import { listen, start } from "../lib/server.mjs";

export const count = 157;
const crates = Array.from({ length: count }, (_, index) => ({ id: index + 1, name: `crate ${index + 1}` }));

/** `urls`, by the name of what is there, and `stop()`. */
export async function startServers() {
  const folder = await mkdtemp(join(tmpdir(), "longshore-paging-"));
  const script = fileURLToPath(new URL("frameworks.py", import.meta.url));
  const python = await start(process.env.PYTHON, [script, folder], /listening on (\{.*\})/);
  const [json, scim] = [await listen(withJsonServer()), await listen(withScim())];
  return {
    urls: { ...JSON.parse(python.address), "json-server": json.url, scim: scim.url },
    stop: () => Promise.all([python.stop(), json.stop(), scim.stop()]),
  };
}

function withJsonServer() {
  const app = jsonServer.create();
  app.use(jsonServer.router({ crates }));
  return app;
}

/** Users, as every identity provider has them (RFC 7644): positions are counted from 1, and there are 20 to a page. */
function withScim() {
  const users = crates.map(({ id, name }) => ({ id: `${id}`, userName: name }));
  SCIMMY.Resources.declare(SCIMMY.Resources.User, { egress: () => users });
  // Its express: SCIMMY's router does not read queries under version 5.
  const app = jsonServer.create();
  app.use("/scim", new SCIMMYRouters({ type: "bearer", handler: () => "nobody" }));
  return app;
}
