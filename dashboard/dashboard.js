// Asks the admin API once a second and shows what it says.

const PERIOD_MS = 1000;

// What is shown of the traffic: the field, its label, its form.
const METRICS = [
  ["requestsPerSecond", "Requests a second", (value) => value.toFixed(1)],
  ["totalRequests", "Requests", count],
  ["averageResponseTime", "Response time", milliseconds],
  ["activeConnections", "Connections", count],
  ["activeServers", "Servers in rotation", count],
  ["unhealthyServers", "Unhealthy servers", count],
  ["algorithm", "Algorithm", (value) => value?.replaceAll("_", " ") ?? "–"],
  ["uptime", "Up for", String],
];

function count(value) {
  return value.toLocaleString("en");
}

function milliseconds(value) {
  return value === null ? "–" : `${value.toFixed(2)} ms`;
}

// How long ago a moment is, in words.
function ago(moment) {
  if (moment === null) {
    return "never";
  }
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(moment)) / 1000));
  return seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) {
    made.className = className;
  }
  return made;
}

function metric([field, label, form], metrics) {
  const group = document.createElement("div");
  group.append(element("dt", label), element("dd", form(metrics[field])));
  return group;
}

function cell(label, text, className) {
  const made = element("td", text, className);
  // On a narrow screen each row is a card, and this its labels.
  made.dataset.label = label;
  return made;
}

function row(server) {
  const made = document.createElement("tr");
  const status = server.draining ? "draining" : server.status;
  const name = element("th", server.serverId);
  name.scope = "row";
  made.append(
    name,
    cell("Pool", server.pool),
    cell("Status", status, `status ${status}`),
    cell("Weight", count(server.weight), "number"),
    cell("Active", count(server.activeConnections), "number"),
    cell("Requests", count(server.totalRequests), "number"),
    cell("Failed", count(server.failedRequests), "number"),
    cell("Response", milliseconds(server.responseTime), "number"),
    cell("Last check", ago(server.lastHealthCheck)),
  );
  return made;
}

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(5 * PERIOD_MS) });
  const answer = await response.json();
  if (!answer.success) {
    throw new Error(answer.error.message);
  }
  return answer.data;
}

function show(state, text) {
  const shown = document.getElementById("state");
  // Screen readers are told of changes only.
  if (shown.textContent !== text) {
    shown.textContent = text;
    shown.className = state;
  }
}

async function refresh() {
  const [health, metrics, servers] = await Promise.all(
    ["api/health", "api/metrics", "api/servers"].map(ask),
  );
  document.getElementById("metrics").replaceChildren(
    ...METRICS.map((shown) => metric(shown, metrics)),
  );
  document.getElementById("servers").replaceChildren(...servers.map(row));
  const { healthy, total } = health.servers;
  show(health.status, `${health.status}: ${healthy} of ${total} servers healthy`);
}

// One question at a time, however slow the answers are.
for (;;) {
  if (!document.hidden) {
    try {
      await refresh();
    } catch (error) {
      show("unreachable", `no answer: ${error.message}`);
    }
  }
  await new Promise((next) => setTimeout(next, PERIOD_MS));
}
