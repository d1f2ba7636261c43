// @ts-check
import { ApiError } from "./api.js";

/** The server beats every 15 s; a connection silent for longer is dead, whatever TCP thinks. */
const SILENCE_MS = 45_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 20_000;

/** The text/event-stream format, fed in pieces. */
export class EventParser {
  #rest = "";
  #event = { type: "", data: /** @type {string[]} */ ([]) };
  lastId = "";
  /** @type {number | null} */
  retryMs = null;

  /** A new connection begins a new event; what was cut off will be sent again. */
  restart() {
    this.#rest = "";
    this.#event = { type: "", data: [] };
  }

  /** @param {string} piece @returns {{ type: string, data: string, id: string }[]} */
  feed(piece) {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line));
  }

  /** @param {string} line */
  #line(line) {
    if (line === "") return this.#dispatch();
    const [, field, value] = /^([^:]*):? ?([^]*)$/.exec(line) ?? [];
    if (field === "data") this.#event.data.push(value);
    else if (field === "event") this.#event.type = value;
    else if (field === "id" && !value.includes("\0")) this.lastId = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
    return [];
  }

  #dispatch() {
    const { type, data } = this.#event;
    this.#event = { type: "", data: [] };
    return data.length ? [{ type: type || "message", data: data.join("\n"), id: this.lastId }] : [];
  }
}

/**
 * The live stream, kept up. EventSource cannot send the Authorization header, so this reads with fetch; the rest is the
 * same: it resumes after the last event, and waits longer after each failure.
 */
export class Stream {
  /**
   * @param {import("./api.js").Api} api @param {string} path
   * @param {{ onEvent: (event: { type: string, data: string, id: string }) => void,
   *           onState: (state: "connecting" | "live" | "retrying" | "off", error?: ApiError) => void }} on
   */
  constructor(api, path, on) {
    this.api = api;
    this.path = path;
    this.on = on;
    this.parser = new EventParser();
    this.stopped = new AbortController();
  }

  async run() {
    let failures = 0;
    while (!this.stopped.signal.aborted) {
      this.on.onState(failures ? "retrying" : "connecting");
      const error = await this.#once(() => (failures = 0));
      if (this.stopped.signal.aborted) break;
      if (error?.status === 401 || error?.status === 403) return this.on.onState("off", error);
      const wait = error?.retryAfterS ? error.retryAfterS * 1_000 : (this.parser.retryMs ?? FIRST_WAIT_MS) * 2 ** failures;
      failures += 1;
      await this.#pause(Math.min(wait, LONGEST_WAIT_MS) * (0.7 + Math.random() * 0.6));
    }
    return this.on.onState("off");
  }

  stop() {
    this.stopped.abort();
  }

  /** Read until it ends. @param {() => void} onOpen @returns {Promise<ApiError | null>} */
  async #once(onOpen) {
    this.parser.restart();
    const cut = new AbortController();
    const stop = () => cut.abort();
    this.stopped.signal.addEventListener("abort", stop);
    let silent = setTimeout(stop, SILENCE_MS);
    try {
      const response = await this.api.open(this.path, { headers: this.#headers(), signal: cut.signal, cache: "no-store" });
      onOpen();
      this.on.onState("live");
      const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        clearTimeout(silent);
        silent = setTimeout(stop, SILENCE_MS);
        this.parser.feed(read.value).forEach(this.on.onEvent);
      }
      return null;
    } catch (error) {
      return error instanceof ApiError ? error : new ApiError(0);
    } finally {
      clearTimeout(silent);
      this.stopped.signal.removeEventListener("abort", stop);
    }
  }

  #headers() {
    const resume = this.parser.lastId ? { "Last-Event-ID": this.parser.lastId } : {};
    return { Accept: "text/event-stream", ...resume };
  }

  /** @param {number} ms */
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      const early = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
      this.stopped.signal.addEventListener("abort", early, { once: true });
      globalThis.addEventListener("online", early, { once: true });
    });
  }
}
