// The REST calls that the page makes; shapes as in docs/api.md.

const timeout = 15_000; // ms; a server that takes longer is treated as away

export class ApiError extends Error {
  // status is that of the answer, 0 when none came
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const runPath = (run, rest = "") => `/api/runs/${encodeURIComponent(run)}${rest}`;

export const pagePath = (run) => `/runs/${encodeURIComponent(run)}`;

export const alertPath = (alert, rest) =>
  runPath(alert.run, `/alerts/${encodeURIComponent(alert.id)}/${rest}`);

// take: a number that grows when the step comes again, as after a rewind: a browser keeps pictures
// by their address, whatever it is told.
export const gridPath = (run, step, take = 0) =>
  runPath(run, `/samples/${step}${take ? `?take=${take}` : ""}`);

// Where the token is asked for; from there the browser comes back to where it was.
export const loginPath = ({pathname, search}) =>
  `/login?next=${encodeURIComponent(pathname + search)}`;

// The run that an address of the page names; null is the list.
export function runOfPath(pathname) {
  const match = /^\/runs\/([^/]+)\/?$/.exec(pathname);
  if (!match) return null;
  try {
    return decodeURIComponent(match[1]);
  } catch {
    return match[1]; // a lone % that somebody typed
  }
}

// stretch: [first, last] step; without one the whole run.
export function seriesPath(run, metrics, points, stretch = null) {
  const query = new URLSearchParams(metrics.map((metric) => ["metric", metric]));
  query.set("points", points);
  if (stretch) ["from", "to"].forEach((name, i) => query.set(name, stretch[i]));
  return runPath(run, `/series?${query}`);
}

// The events of one run; null is the newest of all.
export const eventsPath = (run) => (run === null ? "/api/events" : runPath(run, "/events"));

// The same of several, on one line. places: ids to resume from, "" where one begins.
export function sharedPath(runs, places) {
  const query = new URLSearchParams(runs.filter((run) => run !== null).map((run) => ["run", run]));
  if (runs.includes(null)) query.set("newest", true);
  query.set("last_event_id", places.join(","));
  return `/api/events?${query}`;
}

export async function getJson(path, {fetch = globalThis.fetch, signal} = {}) {
  const response = await ask(path, {headers: {Accept: "application/json"}, signal}, fetch);
  if (!response.ok) throw new ApiError(response.status, await detailOf(response));
  try {
    return await response.json();
  } catch {
    throw new ApiError(0, `The answer to ${path} was cut off.`);
  }
}

export async function postJson(path, body, {fetch = globalThis.fetch} = {}) {
  const response = await ask(
    path,
    {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify(body)
    },
    fetch
  );
  if (!response.ok) throw new ApiError(response.status, await detailOf(response));
  return response.status === 204 ? null : await response.json();
}

export async function remove(path, {fetch = globalThis.fetch} = {}) {
  const response = await ask(path, {method: "DELETE"}, fetch);
  if (!response.ok) throw new ApiError(response.status, await detailOf(response));
}

async function ask(path, {signal, ...options}, fetch) {
  const late = AbortSignal.timeout(timeout);
  try {
    return await fetch(path, {...options, signal: signal ? AbortSignal.any([signal, late]) : late});
  } catch {
    throw new ApiError(0, "The server does not answer.");
  }
}

async function detailOf(response) {
  try {
    const {detail} = await response.json();
    if (typeof detail === "string") return detail;
  } catch {
    // a proxy's own error page: the status has to do
  }
  return `The server answered ${response.status}.`;
}
