// One meeting in full: who takes part and how they answered, how mails and calendar went, what can be done.

import { button, byId, element, fill, notify } from "./dom.js";
import { language, spokenInstant, t } from "./texts.js";
import { spoken, translate } from "./zones.js";

const MARKS = { ACCEPTED: "✓", DECLINED: "✗", UNKNOWN: "…" };

export class MeetingDialog {
  /** `actions` has `edit(meeting, etag)`, `attempt(action)` and `changed()`. */
  constructor(api, session, actions) {
    this.api = api;
    this.session = session;
    this.actions = actions;
    this.root = byId("meeting");
    this.uuid = null;
  }

  async open(uuid) {
    this.uuid = uuid;
    await this.#show();
    if (!this.root.open) this.root.showModal();
  }

  /** Show it again when it changed; `uuid` is that of the meeting that changed. */
  async refresh(uuid) {
    if (this.root.open && uuid === this.uuid) await this.#show();
  }

  close() {
    this.root.close();
  }

  async #show() {
    const { data, etag } = await this.api.get(this.uuid);
    const focused = document.activeElement?.closest("#meeting") && document.activeElement.textContent;
    fill(this.root.firstElementChild,
      element("h2", { id: "meeting-title", tabindex: "-1", class: data.status === "CANCELED" ? "is-canceled" : "" }, data.title ?? t("noTitle")),
      element("dl", {}, ...this.#facts(data)),
      element("h3", {}, t("participants")),
      this.#participants(data),
      element("div", { class: "buttons" }, ...this.#buttons(data, etag)),
    );
    [...this.root.querySelectorAll("button")].find((candidate) => candidate.textContent === focused)?.focus();
  }

  #facts(meeting) {
    const link = meeting.meetingLink && element("a", { href: meeting.meetingLink, rel: "noreferrer", target: "_blank" }, meeting.meetingLink);
    const facts = [
      ["when", this.#when(meeting)],
      ["status", t(meeting.status)],
      ["place", [t(meeting.locationType), meeting.locationDetail].filter(Boolean).join(", ")],
      ["meetingLink", link],
      ["description", meeting.description],
      ["internalNotes", meeting.internalNotes],
      ["host", meeting.hostName ?? meeting.hostEmail],
      ["source", meeting.source === "INTERNAL" ? null : this.#origin(meeting)],
      ["sync", this.#sync(meeting)],
    ];
    return facts.filter(([, value]) => value).flatMap(([key, value]) => [element("dt", {}, t(key)), element("dd", {}, value)]);
  }

  #when(meeting) {
    const options = meeting.allDay ? { dateStyle: "full" } : undefined;
    const inZone = (from, to) => {
      const end = to.slice(0, 10) === from.slice(0, 10) ? spoken(to, language(), { timeStyle: "short" }) : spoken(to, language(), options);
      return meeting.allDay ? spoken(from, language(), options) : `${spoken(from, language())} – ${end}`;
    };
    const own = `${inZone(meeting.startDateTime, meeting.endDateTime)} (${meeting.timezone})`;
    if (meeting.allDay || meeting.timezone === this.session.timeZone) return own;
    const here = [meeting.startDateTime, meeting.endDateTime].map((local) => translate(local, meeting.timezone, this.session.timeZone));
    return element("span", {}, inZone(...here), element("br"), element("small", {}, own));
  }

  #origin(meeting) {
    const organizer = meeting.organizerName ?? meeting.organizerEmail;
    return [
      t("imported", { name: t(meeting.source) }),
      meeting.externallyOrganized && t("readOnly"),
      organizer && `${t("organizer")}: ${organizer}`,
    ].filter(Boolean).join("; ");
  }

  #sync(meeting) {
    const status = t(meeting.externalSyncStatus);
    if (meeting.externalSyncStatus !== "FAILED") return status;
    return element("span", { class: "problem" }, [status, meeting.syncFailureCode, meeting.syncFailureReason].filter(Boolean).join(": "));
  }

  #participants(meeting) {
    if (meeting.participants.length === 0) return element("p", { class: "muted" }, t("onlyHost"));
    return element("ul", { class: "participants" }, meeting.participants.map((participant) => this.#participant(meeting, participant)));
  }

  #participant(meeting, participant) {
    const name = participant.name ?? participant.email ?? t(participant.participantType);
    const { deliveryFailureReason: reason, lastInvitationResentAt: resentAt } = participant;
    return element("li", { "data-answer": participant.rsvpStatus },
      element("span", { "aria-hidden": "true", class: "mark" }, MARKS[participant.rsvpStatus]),
      element("span", { class: "person" },
        element("strong", {}, name), ` ${t(participant.participantType)}, ${t(participant.rsvpStatus)}`,
        participant.email && participant.email !== name && element("small", {}, participant.email),
        resentAt && element("small", {}, t("lastResent", { when: spokenInstant(resentAt, this.session.timeZone) })),
        reason && element("small", { class: "problem" }, t("undelivered", { reason })),
      ),
      participant.canResend && button(t("resendOne", { name }), () => this.#do(async () => {
        const { data } = await this.api.resendTo(meeting.meetingUuid, participant.participantUuid);
        notify(resentText([data]));
      }), { class: "small" }),
    );
  }

  #buttons(meeting, etag) {
    const uuid = meeting.meetingUuid;
    const title = meeting.title ?? t("noTitle");
    const mine = meeting.participants.find((participant) => participant.participantEntityUuid === this.session.person.id);
    const isOpen = meeting.status === "ACTIVE" && mine !== undefined;
    return [
      isOpen && mine.rsvpStatus !== "ACCEPTED" && this.#action("accept", () => this.api.answer(uuid, "ACCEPTED"), () => t("answered")),
      isOpen && mine.rsvpStatus !== "DECLINED" && this.#action("decline", () => this.api.answer(uuid, "DECLINED"), () => t("answered")),
      meeting.canEdit && button(t("edit"), () => { this.close(); this.actions.edit(meeting, etag); }, { class: "primary" }),
      meeting.canResend && this.#action("resend", () => this.api.resend(uuid), ({ data }) => resentText(data)),
      meeting.canRetrySync && this.#action("retry", () => this.api.retrySync(uuid), () => t("retried")),
      meeting.canCancel && button(t("cancelMeeting"), () => {
        if (window.confirm(t("confirmCancel", { title }))) this.#do(() => this.api.cancel(uuid, etag), () => t("canceled", { title }));
      }, { class: "danger" }),
      meeting.canRemoveFromCalendar && button(t("hide"), () => this.#do(async () => {
        await this.api.hide(uuid);
        this.close();
      }, () => t("hidden", { title }))),
      button(t("close"), () => this.close()),
    ];
  }

  #action(name, act, text) {
    return button(t(name), () => this.#do(act, text));
  }

  /** Act, notify of the outcome, and show the meeting as it is now; a conflict shows it, too. */
  #do(act, text = null) {
    return this.actions.attempt(async () => {
      try {
        const answer = await act();
        if (text) notify(answer?.status === 202 ? t("unknownOutcome") : text(answer));
      } finally {
        this.actions.changed();
        if (this.root.open) await this.#show();
      }
    });
  }
}

function resentText(entries) {
  const sent = entries.filter((entry) => entry.lastInvitationResentAt !== null).length;
  return t("resent", { sent, skipped: entries.length - sent });
}
