// The console: who is logged in, and what the parts of the page do for each other.

import { clearActivity, showExchange, showReads, showRecord } from "./activity.js";
import { Api } from "./api.js";
import { Calendar, tomorrowAtTen } from "./calendar.js";
import { ConnectionCard } from "./connection.js";
import { button, byId, element, fill, notify } from "./dom.js";
import { EditorDialog } from "./editor.js";
import { showFind } from "./find.js";
import { MeetingDialog } from "./meeting.js";
import { Session } from "./session.js";
import { follow } from "./stream.js";
import { speak, t } from "./texts.js";

const LANGUAGE_KEY = "meetings-console-language";
const REFRESH_DELAY_MS = 250;
const POLL_MS = 5000;

const run = await (await fetch("run.json")).json();
let desk = null;

/** Everything that one person works with, from log-in to log-out. */
class Desk {
  constructor(session) {
    this.session = session;
    this.stopping = new AbortController();
    this.api = new Api(session, showExchange);
    this.editor = new EditorDialog(this.api, session, {
      attempt,
      saved: (meeting) => {
        if (meeting.startDateTime) this.calendar.goTo(meeting); // a 202 has none
        this.refresh();
      },
    });
    this.dialog = new MeetingDialog(this.api, session, {
      attempt, changed: () => this.refresh(), edit: (meeting, etag) => this.editor.edit(meeting, etag),
    });
    this.connection = new ConnectionCard(this.api, session, attempt);
    this.#showPage();
    this.#follow();
  }

  #showPage() {
    byId("zone").textContent = t("zoneHint", { zone: this.session.timeZone });
    byId("who").textContent = `${this.session.person.name}, ${t(this.session.person.userType)}, ${this.session.person.firm}`;
    this.calendar = new Calendar(this.api, this.session, {
      open: (uuid) => this.open(uuid),
      create: (start, end, allDay) => this.editor.create(start, end, allDay),
      move: (meeting, fields, revert) => attempt(() => this.#move(meeting, fields, revert)),
      fail: notifyOfFailure,
    });
    showFind(this.api, this.session, { attempt, open: (uuid) => this.open(uuid) });
    attempt(() => this.connection.refresh());
  }

  open(uuid) {
    return attempt(() => this.dialog.open(uuid));
  }

  create() {
    this.editor.create(...tomorrowAtTen(this.session.timeZone), false);
  }

  refresh() {
    clearTimeout(this.refreshing);
    this.refreshing = setTimeout(() => this.calendar.refresh(), REFRESH_DELAY_MS);
  }

  stop() {
    this.stopping.abort();
    clearInterval(this.polling);
    clearTimeout(this.refreshing);
    this.calendar.close();
  }

  /** Write a drag only over the version that the person saw when they dragged. */
  async #move(meeting, fields, revert) {
    if (fields === null) {
      revert();
      return notify(t("notThere"), "bad");
    }
    const title = meeting.title ?? t("noTitle");
    try {
      const { data, etag } = await this.api.get(meeting.meetingUuid);
      if (data.updatedAt !== meeting.updatedAt) throw Object.assign(new Error(), { status: 412 });
      await this.api.update(meeting.meetingUuid, fields, etag);
      notify(t("moved", { title }));
    } catch (error) {
      revert();
      if (error.status !== 412) throw error;
      notify(t("conflictMoved", { title }), "bad");
      await this.dialog.open(meeting.meetingUuid);
    } finally {
      this.refresh();
    }
  }

  /** Show what happens as it happens; without a stream, look every few seconds. */
  #follow() {
    if (!run.hasEvents) {
      byId("stream").textContent = t("noEvents");
      this.polling = setInterval(() => this.refresh(), POLL_MS);
      return;
    }
    follow(this.session.headers, this.stopping.signal, (record) => this.#noticed(record), (state) => {
      byId("stream").textContent = t(state);
      byId("stream").dataset.state = state;
    });
  }

  #noticed(record) {
    showRecord(record);
    if (record.topic === "meetings.events") {
      this.refresh();
      attempt(() => this.dialog.refresh(record.subject));
    } else if (record.topic === "calendar.events") {
      clearTimeout(this.looking);
      this.looking = setTimeout(() => attempt(() => this.connection.refresh()), REFRESH_DELAY_MS);
    }
  }
}

/** Do something that may fail, and notify the person when it does. */
async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    notifyOfFailure(error);
    return null;
  }
}

function notifyOfFailure(error) {
  notify(t("failed", { problem: error.text ?? error.message }), "bad");
}

function showPeople() {
  const firms = Map.groupBy(run.people.filter((person) => person.active && person.username), (person) => person.firm);
  fill(byId("people"), [...firms].map(([firm, people]) => element("section", { class: "firm" },
    element("h3", {}, firm),
    element("ul", {}, people.map((person) => element("li", {},
      button(`${person.name}, ${t(person.userType)}`, () => attempt(() => logIn(person)))))),
  )));
}

async function logIn(person) {
  const session = await Session.logIn(run, person);
  choose(localStorage.getItem(LANGUAGE_KEY) ?? (person.language === "SPANISH" ? "es" : "en"));
  byId("login").hidden = true;
  byId("workspace").hidden = false;
  byId("sign-out").hidden = false;
  desk = new Desk(session);
}

function logOut() {
  Session.forget();
  desk?.stop();
  desk = null;
  clearActivity();
  byId("login").hidden = false;
  byId("workspace").hidden = true;
  byId("sign-out").hidden = true;
  byId("who").textContent = "";
  showPeople();
}

function choose(language) {
  byId("language").value = language;
  speak(language);
  fill(byId("links"), Object.entries(run.links).map(([name, href]) => element("a", { href, target: "_blank", rel: "noreferrer" }, t(name))));
}

byId("language").addEventListener("change", ({ target }) => {
  localStorage.setItem(LANGUAGE_KEY, target.value);
  choose(target.value);
  showPeople();
  if (desk) {
    const { session } = desk;
    desk.stop();
    desk = new Desk(session);
  }
});
byId("sign-out").addEventListener("click", logOut);
byId("new-meeting").addEventListener("click", () => desk.create());
byId("show-reads").addEventListener("change", ({ target }) => showReads(target.checked));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && desk) attempt(() => desk.connection.refresh());
});

choose(localStorage.getItem(LANGUAGE_KEY) ?? (navigator.language.startsWith("es") ? "es" : "en"));
showPeople();
const remembered = Session.remembered(run);
if (remembered) await attempt(() => logIn(remembered));
