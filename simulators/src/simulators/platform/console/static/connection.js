// The calendar connection of the person who is logged in.

import { button, byId, element, fill, notify } from "./dom.js";
import { spokenInstant, t } from "./texts.js";

const PROVIDERS = { google: "GOOGLE", outlook: "OUTLOOK" };

export class ConnectionCard {
  /** `attempt(action)` runs an action and notifies the person when it fails. */
  constructor(api, session, attempt) {
    this.api = api;
    this.session = session;
    this.attempt = attempt;
  }

  async refresh() {
    const { data } = await this.api.connection();
    fill(byId("connection"),
      element("h2", { id: "connection-title" }, t("connection")),
      element("p", {}, ...this.#state(data)),
      data.lastErrorReason && element("p", { class: "problem" }, t("why", { reason: data.lastErrorReason })),
      element("p", { class: "buttons" }, ...this.#buttons(data.status === "CONNECTED")),
    );
  }

  #state({ provider, status, calendarEmail, lastSyncedAt }) {
    const name = provider && t(provider);
    const read = status === "CONNECTED" && lastSyncedAt;
    return [
      t(status, { name, email: calendarEmail }),
      read ? ` ${t("lastSynced", { when: spokenInstant(lastSyncedAt, this.session.timeZone) })}` : "",
    ];
  }

  #buttons(isConnected) {
    if (isConnected) {
      return [
        button(t("pull"), () => this.attempt(() => this.#pull())),
        button(t("disconnect"), () => this.attempt(() => this.#disconnect())),
      ];
    }
    return Object.entries(PROVIDERS).map(([path, name]) =>
      button(t("connect", { name: t(name) }), () => this.attempt(() => this.#connect(path))));
  }

  /** Opens the tab at once: later, browsers would take it for a pop-up that the person did not ask for. */
  async #connect(provider) {
    const tab = window.open("about:blank");
    try {
      const { data } = await this.api.connect(provider);
      if (tab) tab.location.href = data.authorizationUrl;
      else window.location.href = data.authorizationUrl;
      notify(t("connecting"));
    } catch (error) {
      tab?.close();
      throw error;
    }
  }

  async #disconnect() {
    await this.api.disconnect();
    notify(t("disconnected"));
    await this.refresh();
  }

  async #pull() {
    const { data } = await this.api.pull();
    notify(data.status === "COMPLETED" ? t("pulled", data) : t("pulling"));
    await this.refresh();
  }
}
