// A Docker registry on a free port of the loopback address, with Basic authentication and a storage folder of its own,
// and the part of a Docker client that pushes to it.

import { createHash } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "../lib/server.mjs";

export const user = "harbour-master";
export const password = "anchor-and-chain";
// bcrypt of `password`, at its lowest cost.
const hash = "$2b$05$abcdefghijklmnopqrstuukzIUhUE7vKIkkF5fppSdMDSCaqCD3oG";

/** `url`, `push(repository, tags)`, `asked(pattern)` (how many requests the access log has) and `stop()`. */
export async function startRegistry() {
  const folder = await mkdtemp(join(tmpdir(), "longshore-registry-"));
  const settings = join(folder, "config.json");
  const users = join(folder, "users");
  await writeFile(users, `${user}:${hash}\n`);
  // JSON is YAML.
  await writeFile(
    settings,
    JSON.stringify({
      version: 0.1,
      log: { level: "info" },
      http: { addr: "127.0.0.1:0", secret: "of no use outside this test" },
      storage: {
        filesystem: { rootdirectory: join(folder, "storage") },
        delete: { enabled: false },
        maintenance: { uploadpurging: { enabled: false } },
      },
      auth: { htpasswd: { realm: "registry", path: users } },
    }),
  );
  const server = await start(process.env.REGISTRY, ["serve", settings], /listening on (127\.0\.0\.1:\d+)/);
  const url = `http://${server.address}`;

  return {
    url,
    push: (repository, tags) => push(url, repository, tags),
    asked: (pattern) => server.lines().filter((line) => / HTTP\/1\.\d" \d/.test(line) && pattern.test(line)).length,
    stop: server.stop,
  };
}

/** An image without layers under each tag. Without tags the repository holds an uploaded blob and nothing that names it. */
async function push(url, repository, tags) {
  const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } });
  const digest = `sha256:${createHash("sha256").update(config).digest("hex")}`;

  const opened = await request(`${url}/v2/${repository}/blobs/uploads/`, "POST", 202);
  const upload = new URL(opened.headers.get("location"), url);
  upload.searchParams.set("digest", digest);
  await request(upload, "PUT", 201, "application/octet-stream", config);

  const image = "application/vnd.docker.distribution.manifest.v2+json";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: image,
    config: { mediaType: "application/vnd.docker.container.image.v1+json", size: Buffer.byteLength(config), digest },
    layers: [],
  });
  for (const tag of tags) {
    await request(`${url}/v2/${repository}/manifests/${tag}`, "PUT", 201, image, manifest);
  }
}

async function request(url, method, expected, type, body) {
  const headers = { Authorization: `Basic ${btoa(`${user}:${password}`)}` };
  if (type) headers["Content-Type"] = type;
  const answer = await fetch(url, { method, headers, body });
  if (answer.status !== expected) {
    throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  }
  return answer;
}
