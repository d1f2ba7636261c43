// @ts-check
import { Api, ApiError } from "./api.js";

const EARLY_MS = 60_000;

/** Whether the development issuer answers: only then can the page sign in by itself. */
export async function issuerAnswers() {
  const response = await fetch("/auth/.well-known/openid-configuration").catch(() => null);
  if (!response?.ok) return false;
  const told = await response.json().catch(() => null);
  return Boolean(told?.token_endpoint);
}

/** One signed-in identity. Its token lives in memory only, and is fetched anew before it ends or when it is refused. */
export class Session {
  #token = "";
  #endsAt = 0;
  /** @type {Promise<string> | null} */
  #asked = null;

  /** @param {string} who such as citizen:sample-017 @param {() => void} [onEnd] called when a pasted token is refused */
  constructor(who, onEnd = () => {}) {
    this.who = who;
    this.pasted = false;
    this.onEnd = onEnd;
    this.api = new Api(() => this.token(), (refused) => this.#refused(refused));
  }

  /** @param {string} token */
  usePasted(token) {
    this.pasted = true;
    this.#token = token.trim().replace(/^Bearer\s+/i, "");
    this.#endsAt = Infinity;
  }

  async token() {
    if (this.#token && Date.now() < this.#endsAt - EARLY_MS) return this.#token;
    if (this.pasted) throw new ApiError(401);
    this.#asked ??= this.#fetchToken().finally(() => (this.#asked = null));
    return this.#asked;
  }

  async #fetchToken() {
    const { access_token, expires_in } = await new Api().post("/auth/token", { as: this.who });
    this.#token = access_token;
    this.#endsAt = Date.now() + expires_in * 1_000;
    return this.#token;
  }

  /** @param {string} token */
  #refused(token) {
    if (token !== this.#token) return;
    this.#token = "";
    this.onEnd();
  }
}
