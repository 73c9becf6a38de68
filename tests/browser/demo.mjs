// The demo as a newcomer starts it, on a free port, with its own data.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

/** Clusters, Connect, a workload, Muster and one finished drill; stopped as by Ctrl-C. */
export class Demo {
  /** Starts it and waits until it invites people in. */
  static async start() {
    const out = await mkdtemp(path.join(tmpdir(), "muster-browser-"));
    const listen = `127.0.0.1:${await freePort()}`;
    const args = ["demo", "--muster", required("MUSTER_BIN"), "--out", out, "--listen", listen];
    const child = spawn(required("MUSTER_LAB_BIN"), args, { stdio: ["ignore", "pipe", "pipe"] });
    const demo = new Demo(child, out, `http://${listen}`);
    await demo.#invited();
    return demo;
  }

  #child;
  #out;
  #said = "";
  #ended;

  constructor(child, out, url) {
    this.url = url;
    this.#child = child;
    this.#out = out;
    this.#ended = new Promise((resolve) => child.once("exit", resolve));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => {
        this.#said += text;
        process.stderr.write(text);
      });
    }
  }

  async #invited() {
    const exited = this.#ended.then((code) => {
      throw new Error(`the demo ended with ${code}:\n${this.#said}`);
    });
    const invited = new Promise((resolve) => {
      const look = () => {
        if (this.#said.includes("Ctrl-C stops everything")) resolve();
      };
      this.#child.stdout.on("data", look);
    });
    await Promise.race([invited, exited]);
  }

  /** The address book that a pair's applications follow. */
  async addressBook(pair) {
    return JSON.parse(await readFile(path.join(this.#lab(), `address-book-${pair}.json`), "utf8"));
  }

  /** The process of a broker or worker, by its name: to have it stop answering, and to let it go on. */
  async pid(name) {
    const { pids } = JSON.parse(await readFile(path.join(this.#lab(), "lab.json"), "utf8"));
    if (!(name in pids)) throw new Error(`the lab has no process ${name}: ${Object.keys(pids)}`);
    return pids[name];
  }

  /** The lab's directory, which is where the address books are. */
  #lab() {
    const [, dir] = /address books in (\S+)/.exec(this.#said) ?? [];
    if (!dir) throw new Error("the demo does not say where its address books are");
    return dir;
  }

  /** Ctrl-C; everything it started is gone afterwards. */
  async stop() {
    this.#child.kill("SIGINT");
    await this.#ended;
    await rm(this.#out, { recursive: true, force: true });
  }
}

/** A program that the environment names. */
export function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} must name the program to test; ./dev test sets it`);
  return value;
}

/** A port nothing listens on. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
