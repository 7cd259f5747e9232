// Wall-clock times ("2026-06-15T15:00:00", or without seconds) in IANA zones, and instants.

const formats = new Map();

function partsOf(instant, zone) {
  if (!formats.has(zone)) {
    formats.set(zone, new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit",
    }));
  }
  return Object.fromEntries(formats.get(zone).formatToParts(instant).map(({ type, value }) => [type, value]));
}

/** The wall-clock time of an instant in a zone. */
export function toLocal(instant, zone) {
  const part = partsOf(instant, zone);
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}`;
}

const asUtc = (local) => Date.parse(`${local.length === 16 ? `${local}:00` : local}Z`);
const offsetAt = (milliseconds, zone) => asUtc(toLocal(new Date(milliseconds), zone)) - milliseconds;

/** The instant of a wall-clock time: the offset before a gap applies in it, the first of two occurrences counts. */
export function toInstant(local, zone) {
  const utc = asUtc(local);
  const before = offsetAt(utc - 86_400_000, zone);
  const candidate = utc - before;
  if (offsetAt(candidate, zone) === before) return new Date(candidate);
  const after = offsetAt(utc + 86_400_000, zone);
  return new Date(offsetAt(utc - after, zone) === after ? utc - after : candidate);
}

export const translate = (local, from, to) => toLocal(toInstant(local, from), to);

/** What a zone's clocks are ahead of UTC now, as "+05:30". */
export function offsetText(zone) {
  const minutes = Math.round(offsetAt(Date.now(), zone) / 60_000);
  const pad = (number) => String(number).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${pad(Math.trunc(Math.abs(minutes) / 60))}:${pad(Math.abs(minutes) % 60)}`;
}

/** A wall-clock time moved by days. */
export function plusDays(local, days) {
  return new Date(asUtc(local) + days * 86_400_000).toISOString().slice(0, 19);
}

/** What a calendar widget shows as a Date of this browser's zone, as a wall-clock time. */
export function shownTime(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** A wall-clock time for people, in the page's language. */
export function spoken(local, language, options = { dateStyle: "full", timeStyle: "short" }) {
  return new Intl.DateTimeFormat(language, { ...options, timeZone: "UTC" }).format(asUtc(local));
}
