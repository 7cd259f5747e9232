// The side panel: each request, and under it the Kafka records with its correlation id, as they happen.

import { byId, element } from "./dom.js";
import { t } from "./texts.js";

const MAX_CARDS = 60;
const cards = new Map(); // by correlation id

/** Show a request when it is sent, and its answer when that comes. */
export function showExchange(exchange) {
  const card = cardOf(exchange.correlationId, exchange.isRead);
  card.startedAt ??= exchange.startedAt;
  const isAnswered = exchange.status !== undefined;
  const outcome = isAnswered ? `${exchange.status} · ${Math.round(exchange.took)} ms` : t("unanswered");
  card.root.dataset.kind = isAnswered && exchange.status >= 400 ? "bad" : "good";
  card.head.replaceChildren(
    element("strong", {}, exchange.method), " ", shortened(exchange.path), " ",
    element("span", { class: "badge" }, outcome),
  );
  card.bodies.replaceChildren(
    ...disclosed(t("request"), exchange.body),
    ...disclosed(t("response"), isAnswered ? exchange.data : null),
  );
}

/** Show a record under the request that led to it; a record without one here gets a card of its own. */
export function showRecord(record) {
  const isKnown = cards.has(record.correlationId);
  const card = cardOf(record.correlationId ?? record.id, false);
  if (!isKnown) card.head.replaceChildren(element("strong", {}, t("elsewhere")));
  const after = card.startedAt === undefined ? "" : ` · +${Math.round(performance.now() - card.startedAt)} ms`;
  const sequence = record.sequence === undefined ? "" : ` #${record.sequence}`;
  card.records.append(element("li", {},
    element("span", { class: "topic" }, `${record.source} → ${record.topic}`),
    element("code", {}, `${record.type}${sequence}`),
    element("small", {}, `${record.partition}/${record.offset}${after}`),
    ...disclosed(t("record"), record),
  ));
}

export function clearActivity() {
  cards.clear();
  byId("cards").replaceChildren();
}

export function showReads(isShown) {
  byId("cards").classList.toggle("with-reads", isShown);
}

function cardOf(correlationId, isRead) {
  const known = cards.get(correlationId);
  if (known) return known;
  const card = { head: element("p"), bodies: element("div", { class: "bodies" }), records: element("ul", { class: "records" }) };
  card.root = element("li", { class: isRead ? "activity-card read" : "activity-card" }, card.head, card.bodies, card.records);
  cards.set(correlationId, card);
  byId("cards").prepend(card.root);
  for (const [oldest, { root }] of cards) {
    if (cards.size <= MAX_CARDS) break;
    root.remove();
    cards.delete(oldest);
  }
  return card;
}

function disclosed(name, content) {
  if (!content) return [];
  return [element("details", {}, element("summary", {}, name), element("pre", {}, JSON.stringify(content, null, 1)))];
}

/** Ids cut to their ends, which differ. */
const shortened = (path) => path.replace(/\/(M|MP)[0-9A-F]{26}([0-9A-F]{6})/g, "/$1…$2");
