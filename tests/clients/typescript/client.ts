// Creates, lists and updates a meeting with the types that openapi-typescript generates. Node runs this file as it is.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

type Meeting = components["schemas"]["MeetingView"];
type Accepted = components["schemas"]["Accepted"];

const run: { gateway: string; headers: Record<string, string>; title: string } = JSON.parse(process.env["RUN"] ?? "{}");
const api = createClient<paths>({ baseUrl: run.gateway, headers: run.headers });

function decided(answer: { data?: Meeting | Accepted; error?: components["schemas"]["ErrorBody"] }): Meeting {
  if (answer.error) throw new Error(`${answer.error.errorCode}: ${answer.error.message}`);
  if (!answer.data || !("participants" in answer.data)) throw new Error("not decided in time");
  return answer.data;
}

const created = decided(
  await api.POST("/api/v1/meetings", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: {
      title: run.title,
      startDateTime: "2031-06-16T15:00:00",
      endDateTime: "2031-06-16T15:45:00",
      timezone: "America/Santiago",
      locationType: "ONLINE",
      externalAttendees: [{ email: "jane.roe@example.com", name: "Jane Roe", language: "ENGLISH" }],
    },
  }),
);

const listed = await api.GET("/api/v1/meetings", { params: { query: { page: 0, size: 100 } } });
if (!listed.data?.content.some((summary) => summary.meetingUuid === created.meetingUuid)) throw new Error("not listed");

const path = { meetingUuid: created.meetingUuid };
const read = await api.GET("/api/v1/meetings/{meetingUuid}", { params: { path } });
const updated = decided(
  await api.PUT("/api/v1/meetings/{meetingUuid}", {
    params: { path, header: { "If-Match": read.response.headers.get("ETag") ?? "" } },
    body: { title: `${run.title}, renamed`, meetingPassword: "" },
  }),
);

const stale = await api.PUT("/api/v1/meetings/{meetingUuid}", {
  params: { path, header: { "If-Match": '"1"' } },
  body: { title: "too late" },
});
if (stale.error?.errorCode !== "BE0430") throw new Error(`a stale version was not refused: ${stale.response.status}`);

console.log(JSON.stringify({ meetingUuid: updated.meetingUuid, title: updated.title }));
