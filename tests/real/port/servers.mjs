// Port beside Prism, and the API that is read: a json-server in this process.

import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import jsonServer from "json-server";
import { listen, start } from "../lib/server.mjs";

/** Port's published description, which lies beside the project and is no part of it. */
export const description = fileURLToPath(new URL("../../../../shared/reference/port-openapi.json", import.meta.url));
export const isDescribed = existsSync(description);

/** Prism with `--errors`: what does not fit the description is an error. */
export async function startPrism() {
  const prism = createRequire(import.meta.url).resolve("@stoplight/prism-cli");
  const server = await start(
    process.execPath,
    [prism, "mock", "--errors", "--host", "127.0.0.1", "--port", "0", description],
    /Prism is listening on (http:\S+)/,
  );
  return { url: server.address, stop: server.stop };
}

/** A Port without any entity, behind Prism's eyes. */
export async function startPort(prism) {
  const server = await start(process.env.REAL_PORT, [prism.url], /listening on (http:\S+?)\/?\s/);
  const url = server.address;
  return {
    url,
    report: async () => (await fetch(`${url}/shim/report`)).json(),
    /** What was written before counts as old. */
    letAnHourPass: () => fetch(`${url}/shim/hour`, { method: "POST" }),
    askForResync: (integration) => fetch(`${url}/shim/resync/${integration}`, { method: "POST" }),
    stop: server.stop,
  };
}

/** The answer's `data` is what the API has now; whoever writes changes it there. */
export async function startApi(data) {
  const app = jsonServer.create();
  app.use(jsonServer.defaults({ logger: false, noCors: true }));
  app.use(jsonServer.router(data));
  const { url, stop } = await listen(app);
  const send = async (method, path, body) => {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  return {
    url,
    data,
    add: (path, body) => send("POST", path, body),
    change: (path, body) => send("PATCH", path, body),
    remove: (path) => send("DELETE", path),
    stop,
  };
}
