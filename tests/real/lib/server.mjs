// Starts a server, as a process that says where it listens or in this one, on a free port of the loopback address.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";

/**
 * `listening` finds the address in what the server prints; its first group is the address.
 * The answer has `address`, `lines()` (all that was printed so far) and `stop()`.
 */
export async function start(program, args, listening) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  let printed = "";

  const address = await new Promise((found, failed) => {
    const patience = setTimeout(() => failed(new Error(`${program} is silent:\n${printed}`)), 60_000);
    const read = (text) => {
      printed += text;
      const match = printed.match(listening);
      if (match) {
        clearTimeout(patience);
        found(match[1]);
      }
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    child.on("error", failed);
    child.on("exit", (code) => failed(new Error(`${program} ended with ${code}:\n${printed}`)));
  });

  return {
    address,
    lines: () => printed.split("\n"),
    async stop() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** An app, or whatever else handles requests, in this process. The answer has `url`, `server` and `stop()`. */
export async function listen(...handler) {
  const server = createServer(...handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    server,
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
