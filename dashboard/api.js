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

export const gridPath = (run, step) => runPath(run, `/samples/${step}`);

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

export function seriesPath(run, metrics, points) {
  const query = new URLSearchParams(metrics.map((metric) => ["metric", metric]));
  query.set("points", points);
  return runPath(run, `/series?${query}`);
}

export async function getJson(path, {fetch = globalThis.fetch} = {}) {
  const response = await ask(path, {headers: {Accept: "application/json"}}, fetch);
  if (!response.ok) throw new ApiError(response.status, await detailOf(response));
  try {
    return await response.json();
  } catch {
    throw new ApiError(0, `The answer to ${path} was cut off.`);
  }
}

export async function login(token, {fetch = globalThis.fetch} = {}) {
  const response = await ask(
    "/api/login",
    {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({token})
    },
    fetch
  );
  if (!response.ok) throw new ApiError(response.status, await detailOf(response));
}

async function ask(path, options, fetch) {
  try {
    return await fetch(path, {...options, signal: AbortSignal.timeout(timeout)});
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
