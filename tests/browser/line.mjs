// A way to Muster on a port of its own, as a proxy in between is one. Its streams can be cut, as proxies cut what lasts too long.

import { once } from "node:events";
import { createServer, request } from "node:http";

/** See the file. */
export class Line {
  /** Opens one to a Muster. */
  static async open(muster) {
    const line = new Line(new URL(muster));
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    line.url = `http://127.0.0.1:${line.#server.address().port}`;
    return line;
  }

  #muster;
  #server = createServer((asked, answered) => this.#carry(asked, answered));
  #streams = new Set();
  #cut = false;
  #begins;
  /** Resolves once a stream has begun to come through. */
  streaming = new Promise((resolve) => (this.#begins = resolve));

  constructor(muster) {
    this.#muster = muster;
  }

  #carry(asked, answered) {
    const { hostname, port } = this.#muster;
    const { method, url, headers } = asked;
    const onward = request({ hostname, port, method, path: url, headers }, (answer) => {
      const streams = answer.headers["content-type"]?.startsWith("text/event-stream");
      if (streams && this.#cut) {
        answered.destroy();
        return;
      }
      answered.writeHead(answer.statusCode, answer.headers);
      answered.flushHeaders();
      answer.pipe(answered);
      if (streams) {
        this.#streams.add(answered);
        this.#begins();
      }
    });
    onward.on("error", () => answered.destroy());
    answered.on("close", () => {
      this.#streams.delete(answered);
      onward.destroy();
    });
    asked.pipe(onward);
  }

  /** Cuts the streams there are, and lets no other one through. Everything else still gets through. */
  cut() {
    this.#cut = true;
    for (const stream of this.#streams) stream.destroy();
  }

  /** Nothing gets through any more. */
  async close() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
