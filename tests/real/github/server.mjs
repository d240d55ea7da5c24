// The fixtures server of octokit, on a free port of the loopback address. Its own command listens on every address.
// Links in the answers say `localhost`, as that command's do.

import { createServer } from "node:http";
import express from "express";
import fixtures from "@octokit/fixtures-server";

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  const app = express();
  app.use(fixtures({ port, logLevel: "warn", ttl: 600_000 }));
  server.on("request", app);
  console.log(`listening on http://localhost:${port}`);
});
