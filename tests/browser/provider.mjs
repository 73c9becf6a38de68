// An identity provider nobody here wrote: oidc-provider, with its own pages for signing in, consent and signing out.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";

import Provider from "oidc-provider";

import { freePort } from "./demo.mjs";

const SECRET = randomBytes(24).toString("hex");

/** A provider with one client, Muster, and people who sign in by their subject and any password. */
export class IdentityProvider {
  /** Claims of each person, by subject; read anew at each sign-in. */
  people = {};
  #muster;
  #port;
  #server;

  /** Starts it; `muster` is the address of the one client. */
  static async start(muster) {
    const provider = new IdentityProvider();
    provider.#muster = muster;
    provider.#port = await freePort();
    await provider.come();
    return provider;
  }

  /** Another site than Muster's 127.0.0.1, as a provider is in life: cookies and policies tell sites apart. */
  get issuer() {
    return `http://localhost:${this.#port}`;
  }

  /** Settings of a Muster that uses it. */
  get settings() {
    return {
      MUSTER_OIDC_ISSUER: this.issuer,
      MUSTER_OIDC_CLIENT_ID: "muster",
      MUSTER_OIDC_CLIENT_SECRET: SECRET,
      MUSTER_OIDC_NAME: "Example ID",
    };
  }

  /** Answers from now on, with keys it never had before and nobody signed in. */
  async come() {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const key = { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: randomBytes(8).toString("hex") };
    const provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: "muster",
          client_secret: SECRET,
          redirect_uris: [`${this.#muster}/sign-in/oidc/callback`],
          post_logout_redirect_uris: [`${this.#muster}/sign-in`],
          // Loopback by http is for native clients only.
          application_type: "native",
        },
      ],
      claims: { openid: ["sub"], profile: ["preferred_username", "name", "groups"], email: ["email"] },
      cookies: { keys: [randomBytes(24).toString("hex")] },
      findAccount: (_, subject) => ({
        accountId: subject,
        claims: () => ({ sub: subject, ...this.people[subject] }),
      }),
      jwks: { keys: [key] },
      pkce: { required: () => true },
    });
    this.#server = createServer(provider.callback());
    this.#server.listen(this.#port, "localhost");
    await once(this.#server, "listening");
  }

  /** Does not answer any more. */
  async go() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
