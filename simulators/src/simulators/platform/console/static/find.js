// The filter language by example: an example fills the request, which can be edited and sent.

import { button, byId, element, field } from "./dom.js";
import { language, t } from "./texts.js";
import { plusDays, spoken, toLocal } from "./zones.js";

const EXAMPLES = {
  exText: () => ({ filters: [{ field: "title", operator: "CONTAINS", value: "review" }] }),
  exSoon: (now) => ({
    filters: [
      { field: "startDateTime", operator: "RANGE", min: now, max: plusDays(now, 30) },
      { field: "locationType", operator: "EQUALS", value: "ONLINE" },
    ],
    sort: ["startDateTime,asc"],
  }),
  exDeclined: () => ({ filters: [{ field: "participants.rsvpStatus", operator: "EQUALS", value: "DECLINED" }] }),
  exGuest: () => ({ filters: [{ field: "participants.email", operator: "ENDS_WITH", value: "@example.com" }] }),
  exImported: () => ({ filters: [{ field: "source", operator: "IN", values: ["GOOGLE", "OUTLOOK"] }] }),
  exFailed: () => ({ filters: [{ field: "externalSyncStatus", operator: "EQUALS", value: "FAILED" }] }),
  exCanceled: () => ({
    filters: [{ field: "status", operator: "EQUALS", value: "CANCELED" }],
    sort: ["durationMinutes,desc"],
  }),
};

/** Fill the panel. `actions` has `open(uuid)` and `attempt(action)`. */
export function showFind(api, session, actions) {
  const now = toLocal(new Date(), session.timeZone);
  const request = element("textarea", { rows: 9, spellcheck: "false", class: "code" });
  const results = element("div", { role: "status" });
  const examples = element("select", { onchange: () => { fill(); } },
    Object.keys(EXAMPLES).map((key) => element("option", { value: key }, t(key))));
  const fill = () => { request.value = JSON.stringify(EXAMPLES[examples.value](now), null, 2); };
  fill();

  const search = () => actions.attempt(async () => {
    let body;
    try {
      body = JSON.parse(request.value);
    } catch (problem) {
      throw new Error(t("notJson", { problem: problem.message }));
    }
    const { data } = await api.search(body);
    results.replaceChildren(
      element("p", {}, t("found", { count: data.totalElements })),
      element("ul", { class: "found" }, data.content.map((meeting) => element("li", {},
        button(`${meeting.title ?? t("noTitle")}, ${spoken(meeting.startDateTime, language(), { dateStyle: "medium", timeStyle: "short" })} (${meeting.timezone})`,
          () => actions.open(meeting.meetingUuid), { class: "link" })))),
    );
  });
  byId("find-content").replaceChildren(
    field(t("example"), examples),
    field(t("filters"), request, "POST /api/v2/meetings"),
    element("p", { class: "buttons" }, button(t("search"), search)),
    results,
  );
}
