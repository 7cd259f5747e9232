// The public API, and nothing else. Every command carries an Idempotency-Key, so repeating it is safe.

const MEETINGS = "/api/v1/meetings";
const CALENDAR = "/api/v1/calendar";
const REPEATS = 8;

/** The API refused; `details` says what is wrong, field by field. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.errorCode ?? null;
    this.details = body?.details ?? [];
  }

  get text() {
    return [this.message, ...this.details].join("\n");
  }
}

export class Api {
  /** `observe(exchange)` gets each request when it is sent, and again when it is answered. */
  constructor(session, observe) {
    this.session = session;
    this.observe = observe;
  }

  get(uuid) { return this.#send("GET", `${MEETINGS}/${uuid}`); }
  search(body) { return this.#send("POST", "/api/v2/meetings", { body, isRead: true }); }
  create(body) { return this.#command("POST", MEETINGS, { body }); }
  update(uuid, body, ifMatch) { return this.#command("PUT", `${MEETINGS}/${uuid}`, { body, ifMatch }); }
  cancel(uuid, ifMatch) { return this.#command("POST", `${MEETINGS}/${uuid}/cancel`, { ifMatch }); }
  hide(uuid) { return this.#command("DELETE", `${MEETINGS}/${uuid}/calendar-visibility`); }
  answer(uuid, status) { return this.#command("PUT", `${MEETINGS}/${uuid}/rsvp`, { body: { status } }); }
  resend(uuid) { return this.#command("POST", `${MEETINGS}/${uuid}/resend`); }
  resendTo(uuid, participant) { return this.#command("POST", `${MEETINGS}/${uuid}/participants/${participant}/resend`); }
  retrySync(uuid) { return this.#command("POST", `${MEETINGS}/${uuid}/sync`); }
  availability(body) { return this.#send("POST", "/api/v1/availability/check", { body, isRead: true }); }
  connection() { return this.#send("GET", `${CALENDAR}/connection`); }
  connect(provider) { return this.#command("POST", `${CALENDAR}/connect/${provider}`); }
  disconnect() { return this.#command("POST", `${CALENDAR}/disconnect`); }
  pull() { return this.#command("POST", `${CALENDAR}/sync`); }

  /** A command; 202 is followed by repeating it under its key, until its outcome is known. */
  async #command(method, path, options = {}) {
    const key = crypto.randomUUID();
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#send(method, path, { ...options, key });
      if (answer.status !== 202 || attempt === REPEATS) return answer;
      await new Promise((resolve) => { setTimeout(resolve, 250 * attempt); });
    }
  }

  async #send(method, path, { body, ifMatch, key, isRead = method === "GET" } = {}) {
    const correlationId = crypto.randomUUID();
    const headers = { ...this.session.headers, "X-Correlation-Id": correlationId };
    if (body) headers["Content-Type"] = "application/json";
    if (ifMatch) headers["If-Match"] = ifMatch;
    if (key) headers["Idempotency-Key"] = key;
    const exchange = { method, path, body, ifMatch, correlationId, isRead, startedAt: performance.now() };
    this.observe(exchange);
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    const data = text && response.headers.get("Content-Type")?.includes("json") ? JSON.parse(text) : null;
    Object.assign(exchange, { status: response.status, data, took: performance.now() - exchange.startedAt });
    this.observe(exchange);
    if (!response.ok) throw new ApiError(response.status, data);
    return { status: response.status, data, etag: response.headers.get("ETag") };
  }
}
