// Muster alone, with its own PostgreSQL and no clusters.

import { spawn } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { required } from "./demo.mjs";

/** A process of Muster. */
export class Muster {
  #child;
  #dir;
  #ended;

  /** Starts it at an address of this machine and waits until it serves. */
  static async start(listen, settings) {
    const muster = new Muster();
    muster.#dir = await mkdtemp(path.join(tmpdir(), "muster-browser-"));
    // The user PostgreSQL runs as has to get through.
    await chmod(muster.#dir, 0o755);
    const args = ["serve", "--listen", listen, "--data-dir", path.join(muster.#dir, "data")];
    const env = { PATH: process.env.PATH, ...settings };
    muster.#child = spawn(required("MUSTER_BIN"), args, { env, stdio: ["ignore", "ignore", "pipe"] });
    muster.#ended = new Promise((resolve) => muster.#child.once("exit", resolve));
    let said = "";
    const serves = new Promise((resolve) =>
      muster.#child.stderr.on("data", (text) => {
        said += text;
        if (said.includes("Muster serves http")) resolve();
      }),
    );
    const died = muster.#ended.then((code) => {
      throw new Error(`Muster ended with ${code}:\n${said}`);
    });
    await Promise.race([serves, died]);
    return muster;
  }

  /** As by a service manager; nothing of it is left. */
  async stop() {
    this.#child.kill("SIGTERM");
    await this.#ended;
    await rm(this.#dir, { recursive: true, force: true });
  }
}
