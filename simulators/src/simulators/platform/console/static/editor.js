// Create and edit a meeting: who is free shows while typing, and a conflict shows what changed meanwhile.

import { button, byId, element, field, fill, notify } from "./dom.js";
import { t } from "./texts.js";

const AVAILABILITY_DELAY_MS = 400;
const TEXT_FIELDS = ["title", "locationDetail", "meetingLink", "description", "internalNotes"];
const PLAIN_FIELDS = [...TEXT_FIELDS, "startDateTime", "endDateTime", "timezone", "allDay", "locationType"];
const withSeconds = (local) => (local.length === 16 ? `${local}:00` : local);

/** Guests by line: `Jane Roe <jane.roe@example.com>`, or the address alone. */
export function readGuests(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const named = /^(.*)<([^>]*)>$/.exec(line);
    return named ? { name: named[1].trim() || null, email: named[2].trim() } : { email: line };
  });
}

const writeGuest = ({ name, email }) => (name ? `${name} <${email}>` : email);

export class EditorDialog {
  /** `actions` has `saved(meeting)` and `attempt(action)`. */
  constructor(api, session, actions) {
    this.api = api;
    this.session = session;
    this.actions = actions;
    this.root = byId("editor");
    this.inputs = {};
    this.checking = 0;
  }

  /** Ask for a new meeting that begins and ends at wall-clock times of the person's zone. */
  create(startDateTime, endDateTime, allDay) {
    this.#open({ startDateTime, endDateTime, allDay, timezone: this.session.timeZone, locationType: "ONLINE", participants: [] }, null);
  }

  /** Change a meeting that was read with this entity tag. */
  edit(meeting, etag) {
    this.#open(meeting, etag);
  }

  #open(meeting, etag) {
    this.base = meeting;
    this.etag = etag;
    this.#render();
    this.root.showModal();
    this.inputs.title.focus();
    this.#checkAvailability();
  }

  #render() {
    const heading = this.etag ? t("editTitle", { title: this.base.title ?? t("noTitle") }) : t("newTitle");
    this.problem = element("div", { class: "problem", role: "alert" });
    const form = element("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.#save(); } },
      element("h2", { id: "editor-title" }, heading),
      this.problem,
      ...this.#contentFields(),
      ...this.#peopleFields(),
      element("p", { class: "buttons" },
        element("button", { type: "submit", class: "primary" }, t("save")),
        button(t("close"), () => this.root.close())),
    );
    form.addEventListener("input", () => this.#checkAvailability());
    fill(this.root.firstElementChild, form);
  }

  #contentFields() {
    const meeting = this.base;
    const text = (name, type = "text") => this.#input(name, element("input", { type, value: meeting[name] ?? "" }));
    const area = (name) => this.#input(name, element("textarea", { rows: 2, value: meeting[name] ?? "" }));
    const time = (name) => this.#input(name, element("input", { type: "datetime-local", required: true, value: meeting[name].slice(0, 16) }));
    const zones = element("datalist", { id: "zones" }, Intl.supportedValuesOf("timeZone").map((zone) => element("option", { value: zone })));
    const place = element("select", {}, ["ONLINE", "IN_PERSON"].map((type) =>
      element("option", { value: type, selected: type === meeting.locationType }, t(type))));
    return [
      field(t("title"), text("title")),
      element("div", { class: "row" }, field(t("starts"), time("startDateTime")), field(t("ends"), time("endDateTime"))),
      element("div", { class: "row" },
        field(t("timezone"), this.#input("timezone", element("input", { value: meeting.timezone, list: "zones", required: true }))), zones,
        element("label", { class: "check" }, this.#input("allDay", element("input", { type: "checkbox", checked: Boolean(meeting.allDay) })), ` ${t("allDay")}`)),
      element("div", { class: "row" }, field(t("place"), this.#input("locationType", place)), field(t("locationDetail"), text("locationDetail"))),
      field(t("meetingLink"), text("meetingLink", "url")),
      field(t("description"), area("description")),
      this.session.isStaff ? field(t("internalNotes"), area("internalNotes")) : null,
    ];
  }

  #peopleFields() {
    const others = this.session.people.filter((person) => person.active && person.id !== this.session.person.id);
    const chosen = new Set(this.base.participants.map((participant) => participant.participantEntityUuid));
    const boxes = (name, people) => {
      this.inputs[name] = people.map((person) => element("input", { type: "checkbox", value: person.id, checked: chosen.has(person.id) }));
      return element("fieldset", {}, element("legend", {}, t(name)), people.map((person, index) =>
        element("label", { class: "check" }, this.inputs[name][index], ` ${person.name} `,
          element("span", { class: "availability", "data-person": person.id, "aria-live": "polite" }))));
    };
    const guests = this.base.participants.filter((participant) => participant.participantType === "EXTERNAL").map(writeGuest);
    const area = element("textarea", { rows: 2, value: guests.join("\n") });
    return [
      boxes("staff", others.filter((person) => person.userType !== "CLIENT")),
      boxes("clients", others.filter((person) => person.userType === "CLIENT")),
      field(t("guests"), this.#input("guests", area), t("guestsHint")),
    ];
  }

  #input(name, control) {
    this.inputs[name] = control;
    return control;
  }

  /** What the form holds, as a body to create with. */
  #values() {
    const { allDay, startDateTime, endDateTime, staff, clients, guests } = this.inputs;
    const checked = (boxes) => boxes.filter((box) => box.checked).map((box) => box.value);
    const plain = PLAIN_FIELDS.filter((name) => this.inputs[name]).map((name) => [name, this.inputs[name].value]);
    return {
      ...Object.fromEntries(plain),
      allDay: allDay.checked,
      startDateTime: withSeconds(startDateTime.value),
      endDateTime: withSeconds(endDateTime.value),
      staffIds: checked(staff),
      contactIds: checked(clients),
      externalAttendees: readGuests(guests.value),
    };
  }

  /** What differs from what was read; of people, a list of a kind only when that kind changed. */
  #changes() {
    const values = this.#values();
    const { participants } = this.base;
    const ids = (isStaff) => participants.filter(({ participantType: type }) => type !== "EXTERNAL" && (type !== "CONTACT") === isStaff)
      .map((participant) => participant.participantEntityUuid);
    const guests = participants.filter((participant) => participant.participantType === "EXTERNAL").map(writeGuest);
    const isSame = (first, second) => JSON.stringify([...first].sort()) === JSON.stringify([...second].sort());
    const before = (name) => (name.endsWith("DateTime") ? this.base[name].slice(0, values[name].length) : this.base[name] ?? "");
    const changed = PLAIN_FIELDS.filter((name) => name in values && values[name] !== before(name)).map((name) => [name, values[name]]);
    return {
      ...Object.fromEntries(changed),
      ...(isSame(values.staffIds, ids(true)) ? {} : { staffIds: values.staffIds }),
      ...(isSame(values.contactIds, ids(false)) ? {} : { contactIds: values.contactIds }),
      ...(isSame(values.externalAttendees.map(writeGuest), guests) ? {} : { externalAttendees: values.externalAttendees }),
    };
  }

  async #save(changes = null) {
    fill(this.problem);
    const isNew = this.etag === null;
    try {
      const answer = isNew
        ? await this.api.create(this.#values())
        : await this.api.update(this.base.meetingUuid, changes ?? this.#changes(), this.etag);
      this.root.close();
      const { title } = answer.data;
      notify(answer.status === 202 ? t("unknownOutcome") : t(isNew ? "created" : "saved", { title: title ?? t("noTitle") }));
      this.actions.saved(answer.data);
    } catch (error) {
      if (error.status === 412) await this.actions.attempt(() => this.#showConflict());
      else fill(this.problem, element("p", {}, error.text ?? error.message));
    }
  }

  /** Show what another change made of the fields, and let the person choose. */
  async #showConflict() {
    const { data, etag } = await this.api.get(this.base.meetingUuid);
    const differing = PLAIN_FIELDS.filter((name) => (data[name] ?? "") !== (this.base[name] ?? ""));
    const changes = this.#changes(); // of what was read first: what the other changed is no change of this person's
    const label = { startDateTime: "starts", endDateTime: "ends", locationType: "place" };
    fill(this.problem,
      element("p", {}, t("conflict")),
      element("ul", {}, differing.map((name) => element("li", {}, `${t(label[name] ?? name)}. ${t("theirs", { value: data[name] || t("nothing") })}`))),
      button(t("takeTheirs"), () => { this.root.close(); this.edit(data, etag); }),
      button(t("keepMine"), () => { this.etag = etag; this.#save(changes); }),
    );
  }

  /** Ask who is free, a moment after the last keystroke; an older answer never replaces a newer one. */
  #checkAvailability() {
    clearTimeout(this.timer);
    const asked = ++this.checking;
    this.timer = setTimeout(async () => {
      const { startDateTime, endDateTime, timezone, staff } = this.inputs;
      const marks = [...this.root.querySelectorAll("[data-person]")].filter((mark) => staff.some((box) => box.value === mark.dataset.person));
      if (marks.length === 0 || !startDateTime.value || !endDateTime.value) return;
      const answer = await this.api.availability({
        userUuids: marks.map((mark) => mark.dataset.person), startDateTime: withSeconds(startDateTime.value),
        endDateTime: withSeconds(endDateTime.value), timezone: timezone.value,
      }).catch(() => null);
      if (asked !== this.checking) return;
      marks.forEach((mark, index) => {
        const status = answer?.data.availabilities[index].status;
        mark.dataset.status = status ?? "";
        mark.textContent = status ? t(status === "UNKNOWN" ? "UNKNOWN_AVAILABILITY" : status) : "";
      });
    }, AVAILABILITY_DELAY_MS);
  }
}
