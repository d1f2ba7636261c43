// @ts-check

const TIMEOUT_MS = 15_000;

/** What went wrong, in a form the page can tell. `status` 0 means that nothing answered. */
export class ApiError extends Error {
  /** @param {number} status @param {any} problem @param {number | null} retryAfterS */
  constructor(status, problem = {}, retryAfterS = null) {
    super(problem.title ?? `HTTP ${status}`);
    this.status = status;
    this.slug = String(problem.type ?? "").split("/").pop() ?? "";
    this.title = problem.title ?? "";
    this.errors = problem.errors ?? [];
    this.retryAfterS = retryAfterS;
  }
}

/** @param {Response} response */
async function errorOf(response) {
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const problem = await response.json().catch(() => ({}));
  return new ApiError(response.status, problem, Number.isFinite(wait) ? wait : null);
}

/** The HTTP API as one citizen or officer, or as nobody. */
export class Api {
  /** @param {() => Promise<string | null>} token @param {(refused: string) => void} onRefused */
  constructor(token = async () => null, onRefused = () => {}) {
    this.token = token;
    this.onRefused = onRefused;
  }

  /** @param {string} path */
  get = (path) => this.#json("GET", path);

  /** A POST that creates; the key makes a repeated request safe. @param {string} path @param {unknown} [body] */
  create = (path, body) => this.#json("POST", path, body, { "Idempotency-Key": crypto.randomUUID() });

  /** @param {string} path @param {unknown} body */
  post = (path, body) => this.#json("POST", path, body);

  /** @param {string} path @param {unknown} body @param {Record<string, string>} [headers] */
  put = (path, body, headers) => this.#json("PUT", path, body, headers);

  /** @param {string} path @param {unknown} body @param {Record<string, string>} [headers] */
  patch = (path, body, headers) => this.#json("PATCH", path, body, headers);

  /** @param {string} path */
  delete = (path) => this.#json("DELETE", path);

  /**
   * @param {string} method @param {string} path @param {unknown} [body] @param {Record<string, string>} [headers]
   * @returns {Promise<any>}
   */
  async #json(method, path, body, headers = {}) {
    const response = await this.open(path, {
      method,
      headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.status === 204 ? null : response.json();
  }

  /** The raw response, if it is a good one. @param {string} path @param {RequestInit} init @returns {Promise<Response>} */
  async open(path, init) {
    const token = await this.token();
    const headers = new Headers(init.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    const response = await fetch(path, { ...init, headers }).catch((error) => {
      if (init.signal?.aborted && error.name === "AbortError") throw error;
      throw new ApiError(0);
    });
    if (response.ok) return response;
    if (response.status === 401 && token) this.onRefused(token);
    throw await errorOf(response);
  }
}
