// The week and the list: meetings in the viewer's time zone, moved by dragging.

import { byId } from "./dom.js";
import { language, t } from "./texts.js";
import { offsetText, plusDays, shownTime, spoken, toLocal, translate } from "./zones.js";

const PAGE_SIZE = 100;
const MAX_PAGES = 10;
const isNarrow = () => window.matchMedia("(max-width: 720px)").matches;

/** Every meeting that touches a range of wall-clock times; zones are at most a day apart. */
async function meetingsBetween(api, start, end) {
  const filters = [
    { field: "startDateTime", operator: "LESS_THAN", value: plusDays(end, 1) },
    { field: "endDateTime", operator: "GREATER_THAN", value: plusDays(start, -1) },
  ];
  const found = [];
  for (let page = 0, pages = 1; page < Math.min(pages, MAX_PAGES); page += 1) {
    const { data } = await api.search({ filters, sort: ["startDateTime,asc"], page, size: PAGE_SIZE });
    found.push(...data.content);
    pages = data.totalPages;
  }
  return found;
}

/** A meeting as the widget wants it. */
function toEvent(meeting, zone) {
  const lastDay = meeting.endDateTime.endsWith("T00:00:00") ? meeting.endDateTime : plusDays(meeting.endDateTime, 1);
  const place = (local) => (meeting.allDay ? local : translate(local, meeting.timezone, zone));
  return {
    id: meeting.meetingUuid,
    title: meeting.title ?? t("noTitle"),
    allDay: meeting.allDay,
    start: meeting.allDay ? meeting.startDateTime.slice(0, 10) : place(meeting.startDateTime),
    end: meeting.allDay ? lastDay.slice(0, 10) : place(meeting.endDateTime),
    editable: meeting.canEdit,
    classNames: classesOf(meeting),
    extendedProps: { meeting },
  };
}

function classesOf(meeting) {
  return [
    meeting.status === "CANCELED" && "is-canceled",
    meeting.source !== "INTERNAL" && "is-imported",
    meeting.externalSyncStatus === "FAILED" && meeting.externalSyncFailureVisibleToViewer && "is-failed",
    meeting.rsvpStatus === "UNKNOWN" && "is-unanswered",
  ].filter(Boolean);
}

/** What a screen reader says of an event: all that its colours say. */
function describe(event, zone) {
  const { meeting } = event.extendedProps;
  const time = meeting.allDay ? `${meeting.startDateTime.slice(0, 10)}T00:00:00` : translate(meeting.startDateTime, meeting.timezone, zone);
  return [
    event.title,
    spoken(time, language(), meeting.allDay ? { dateStyle: "full" } : undefined),
    meeting.status === "CANCELED" && t("CANCELED"),
    meeting.source !== "INTERNAL" && t("imported", { name: t(meeting.source) }),
    meeting.externalSyncStatus === "FAILED" && `${t("sync")}: ${t("FAILED")}`,
  ].filter(Boolean).join(", ");
}

const INCOMPLETE_ROLES = ["table", "rowgroup", "row", "columnheader", "cell", "list", "listitem"];

/** Take away the widget's roles of a table and a list: it does not keep what they promise, and events name their day. */
function withoutIncompleteRoles(root) {
  const clean = () => {
    for (const holder of root.querySelectorAll(INCOMPLETE_ROLES.map((role) => `[role=${role}]`).join())) holder.removeAttribute("role");
    for (const holder of root.querySelectorAll("[aria-colindex]")) holder.removeAttribute("aria-colindex");
  };
  const observer = new MutationObserver(clean);
  observer.observe(root, { subtree: true, childList: true, attributeFilter: ["role", "aria-colindex"] });
  clean();
  return observer;
}

/** Where a meeting is after it was dragged, as the fields to update; null when it was dragged to another kind of place. */
export function movedFields(meeting, event, zone) {
  if (event.allDay !== meeting.allDay) return null;
  const [start, end] = [shownTime(event.start), shownTime(event.end)];
  if (!meeting.allDay) {
    return { startDateTime: translate(start, zone, meeting.timezone), endDateTime: translate(end, zone, meeting.timezone) };
  }
  const endsAt = meeting.endDateTime.slice(11);
  const lastDay = endsAt === "00:00:00" ? end : plusDays(end, -1);
  return { startDateTime: `${start.slice(0, 10)}${meeting.startDateTime.slice(10)}`, endDateTime: `${lastDay.slice(0, 10)}T${endsAt}` };
}

export class Calendar {
  /** `actions` has `open(uuid)`, `create(start, end, allDay)`, `move(meeting, fields, revert)` and `fail(error)`. */
  constructor(api, session, actions) {
    this.zone = session.timeZone;
    this.roles = withoutIncompleteRoles(byId("calendar"));
    this.widget = window.EventCalendar.create(byId("calendar"), {
      ...this.#words(),
      view: isNarrow() ? "listWeek" : "timeGridWeek",
      headerToolbar: { start: "title", center: "", end: "today prev,next timeGridWeek,timeGridDay,listWeek" },
      timeZone: offsetText(this.zone),
      date: toLocal(new Date(), this.zone),
      height: isNarrow() ? "auto" : "42rem",
      firstDay: 1,
      scrollTime: "08:00:00",
      nowIndicator: true,
      displayEventEnd: false,
      selectable: true,
      lazyFetching: false,
      eventSources: [{ events: async (range) => {
        try {
          const meetings = await meetingsBetween(api, shownTime(range.start), shownTime(range.end));
          return meetings.map((meeting) => toEvent(meeting, this.zone));
        } catch (error) {
          actions.fail(error);
          return [];
        }
      } }],
      eventClick: ({ event }) => actions.open(event.id),
      eventDidMount: ({ el, event }) => el.setAttribute("aria-label", describe(event, this.zone)),
      eventDrop: (info) => this.#move(info, actions),
      eventResize: (info) => this.#move(info, actions),
      select: ({ start, end, allDay }) => actions.create(shownTime(start), shownTime(end), allDay),
    });
  }

  refresh() {
    this.widget.refetchEvents();
  }

  /** Show the day and the hour of a meeting. */
  goTo({ startDateTime, timezone }) {
    const start = translate(startDateTime, timezone, this.zone);
    this.widget.setOption("date", start.slice(0, 10));
    this.widget.setOption("scrollTime", { hours: Math.max(0, Number(start.slice(11, 13)) - 1) });
  }

  close() {
    this.roles.disconnect();
    window.EventCalendar.destroy(this.widget);
  }

  #words() {
    return {
      locale: language(),
      allDayContent: t("allDay"),
      noEventsContent: t("noMeetings"),
      moreLinkContent: ({ num }) => t("more", { count: num }),
      buttonText: (text) => ({
        ...text, today: t("today"), prev: t("previous"), next: t("next"), close: t("close"),
        timeGridWeek: t("week"), timeGridDay: t("day"), listWeek: t("list"),
      }),
    };
  }

  #move({ event, revert }, actions) {
    const { meeting } = event.extendedProps;
    const fields = movedFields(meeting, event, this.zone);
    actions.move(meeting, fields, revert);
  }
}

/** Tomorrow at ten in a zone, for an hour: where a new meeting begins when nothing else is said. */
export function tomorrowAtTen(zone) {
  const day = plusDays(toLocal(new Date(), zone), 1).slice(0, 10);
  return [`${day}T10:00:00`, `${day}T11:00:00`];
}
