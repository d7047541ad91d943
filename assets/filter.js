// Which dead letters the list shows: as the address says it, and as the service is asked.

/**
 * The filter in the parameters of the address, as { reason, code, uid, since, until, resolution, before }; what is not given is empty,
 * but for the resolution, which is then `open`. It is `uid` in the address, where `order_uid` opens an order.
 */
export function filterOf(asked) {
  const given = (name) => asked.get(name) ?? "";
  const [code, uid, since, until, before] = ["code", "uid", "since", "until", "before"].map(given);
  return { reason: given("dead_letters"), code, uid, since, until, resolution: asked.get("resolution") ?? "open", before };
}

/** The parameters of the address of a filter. */
export function parametersOf({ reason, ...rest }) {
  const said = Object.entries(rest).filter(([name, value]) => value !== (name === "resolution" ? "open" : ""));
  return Object.fromEntries([["dead_letters", reason], ...said]);
}

/** What the service calls the part of a filter that a bulk has too. */
export function selectionOf({ reason, code, uid, since, until }) {
  const all = { reason, code, order_uid: uid, since, until };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

/** The query for a page of the list. */
export function listQuery(filter, limit) {
  const query = new URLSearchParams({ limit, ...selectionOf(filter) });
  if (filter.resolution !== "all") query.set("resolution", filter.resolution);
  if (filter.before !== "") query.set("before", filter.before);
  return query;
}

/** The same filter without what the fields of the form say. */
export function withoutFields(filter) {
  return { ...filter, code: "", uid: "", since: "", until: "", before: "" };
}
