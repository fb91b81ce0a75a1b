"use strict";
// The forms ask what scripts ask of the API, and show the answer.

const at = (id) => document.getElementById(id);

// ask sends a request and returns its status and answer.
async function ask(method, path, body) {
  const response = await fetch("cloudzero/" + path, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  if (response.status === 401) location.reload(); // the session is over
  return { ok: response.ok, status: response.status, answer: await response.json() };
}

const problemOf = (answer) => answer.detail?.error ?? answer.message ?? "no answer";

// say tells how something went, for eyes and for screen readers.
function say(id, text, good) {
  const place = at(id);
  place.hidden = false;
  place.textContent = text;
  place.classList.toggle("problem", good === false);
}

// fields are what a form's user has filled in.
function fields(form) {
  const body = {};
  for (const [name, value] of new FormData(form)) {
    if (value !== "") body[name] = name === "limit" ? Number(value) : value;
  }
  return body;
}

// refresh shows the books as they are now, without losing what was typed.
async function refresh() {
  const response = await fetch(location.pathname + location.search);
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const open = [...old.querySelectorAll("details")].map((details) => details.open);
    const now = fresh.getElementById(old.id);
    if (!now) continue;
    old.replaceChildren(...now.childNodes);
    [...old.querySelectorAll("details")].forEach((details, i) => (details.open = open[i] ?? false));
  }
  chart.drawAll();
}

function define(list, name, value) {
  const item = document.createElement("div");
  const term = document.createElement("dt");
  const detail = document.createElement("dd");
  term.textContent = name;
  detail.textContent = value;
  item.append(term, detail);
  list.append(item);
}

// numbers keep all their digits: JSON.parse would round them to doubles.
const exactly = (text, name) => new RegExp(`"${name}":([0-9.]+)`).exec(text)?.[1] ?? "";

async function dryRun(form) {
  say("dry-run-said", "Working…");
  const response = await fetch("cloudzero/dry-run", { method: "POST", body: JSON.stringify(fields(form)) });
  const text = await response.text();
  const answer = JSON.parse(text);
  at("dry-run-result").hidden = !response.ok;
  if (!response.ok) return say("dry-run-said", problemOf(answer), false);
  const { cbf_data: rows, summary } = answer.dry_run_data;
  const list = at("dry-run-summary");
  list.replaceChildren();
  define(list, "USD", exactly(text, "total_cost"));
  define(list, "Tokens", summary.total_tokens);
  define(list, "Rows", summary.total_records);
  define(list, "Teams", summary.unique_accounts);
  define(list, "Providers", summary.unique_services);
  at("cbf").textContent = JSON.stringify(rows, null, 2);
  const listed = rows.length < summary.total_records ? ` The list has ${rows.length} of ${summary.total_records} rows.` : "";
  say("dry-run-said", answer.message + listed, true);
}

async function copyRows() {
  try {
    await navigator.clipboard.writeText(at("cbf").textContent);
    at("copied").textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(at("cbf"));
    at("copied").textContent = "Press Ctrl+C; the browser does not let the page copy.";
  }
}

function downloadRows() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([at("cbf").textContent], { type: "application/json" }));
  link.download = "cbf-dry-run.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// follow shows how far the export has come, until it is told to stop.
function follow() {
  const bar = at("export-bar");
  bar.removeAttribute("value");
  at("export-progress").hidden = false;
  const timer = setInterval(async () => {
    const { answer } = await ask("GET", "export");
    if (!answer.running || !answer.hours) return;
    bar.max = answer.hours;
    bar.value = answer.hours_posted + answer.hours_held;
    say("export-said", `${answer.hours_posted} of ${answer.hours} hours are posted, with ${answer.rows_posted} rows.`);
  }, 500);
  return () => {
    clearInterval(timer);
    at("export-progress").hidden = true;
  };
}

function showHours(answer) {
  const body = at("export-hours");
  body.replaceChildren();
  const lines = [...(answer.posted ?? []).map((hour) => [hour, "posted"]), ...(answer.held ?? []).map((hour) => [hour, "held"])];
  for (const [hour, result] of lines) {
    const row = body.insertRow();
    for (const [text, right] of [[hour.hour], [result], [hour.rows, true], [hour.cost, true], [hour.reason ?? ""]]) {
      const cell = row.insertCell();
      cell.textContent = text;
      if (right) cell.className = "n";
    }
  }
  at("export-result").hidden = lines.length === 0;
}

async function exportNow(body) {
  say("export-said", "Working…");
  const stop = follow();
  try {
    const { ok, answer } = await ask("POST", "export", body);
    showHours(answer);
    if (ok) {
      say("export-said", `${answer.message}: ${answer.records_exported} rows of ${answer.posted.length} hours.`, answer.status === "success");
    } else {
      say("export-said", problemOf(answer), false);
    }
  } finally {
    stop();
  }
  await refresh();
}

async function testConnection() {
  say("test-said", "Asking CloudZero…");
  const { ok, answer } = await ask("POST", "test");
  if (!ok) return say("test-said", problemOf(answer), false);
  const missing = answer.missing_scopes.length
    ? ` The key lacks these scopes: ${answer.missing_scopes.join(", ")}. Posting works without them; some checks do not.` : "";
  say("test-said", answer.message + "." + missing, answer.status === "success");
}

async function setUp(form) {
  say("set-up-said", "Working…");
  const { ok, answer } = await ask("PUT", "settings", fields(form));
  if (!ok) return say("set-up-said", problemOf(answer), false);
  form.elements.api_key.value = "";
  say("set-up-said", answer.message, true);
  await refresh();
  await testConnection();
}

async function forget() {
  if (!confirm("Nothing is posted any more until a connection is set up again. The books stay. Take the connection away?")) return;
  const { ok, answer } = await ask("DELETE", "settings");
  say("set-up-said", ok ? answer.message : problemOf(answer), ok);
  await refresh();
}

const forms = { "dry-run": dryRun, export: (form) => exportNow(fields(form)), "set-up": setUp };

// during keeps a form from being sent twice, and says when the collector is not there.
async function during(form, what) {
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => (button.disabled = true));
  try {
    await what(form);
  } catch (error) {
    say(`${form.dataset.form}-said`, `The collector does not answer: ${error.message}`, false);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

for (const form of document.querySelectorAll("[data-form]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    during(form, forms[form.dataset.form]);
  });
}
at("copy").addEventListener("click", copyRows);
at("download").addEventListener("click", downloadRows);
at("test").addEventListener("click", testConnection);
at("forget")?.addEventListener("click", forget);
document.addEventListener("click", (event) => {
  const month = event.target.dataset?.confirmMonth;
  if (month && confirm(`The hours of ${month} are posted as the books here have them. Is no other collector posting?`)) {
    exportNow({ confirm_months: [month] });
    at("export").focus();
  }
});
document.documentElement.classList.add("script");
