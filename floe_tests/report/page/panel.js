// What a click opens: a failure, a test, or a run.

/** What is open: a test, a column, or both. */
const shown = { test: null, column: -1 };

function facts(pairs) {
  const list = make("dl");
  for (const [name, value] of pairs) {
    if (value === "" || value === null || value === undefined) continue;
    const said = make("dd");
    said.append(value instanceof Node ? value : document.createTextNode(value));
    list.append(make("dt", name), said);
  }
  return list;
}

function link(address, text) {
  const made = make("a", text);
  made.href = address;
  made.rel = "noopener noreferrer";
  return made;
}

/** Something of a run, as a link where the project says where to look at it. */
const linked = (run, what, text) => text && run.links[what]?.startsWith("http") ? link(run.links[what], text) : text;

function button(text, act, name) {
  const made = make("button", text, name);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

function attempts(suites) {
  const table = make("table"), entries = suites.flatMap(suite => suite.attempts.map(each => [suite, each]));
  const names = make("tr");
  for (const name of ["suite", "attempt", "cause", "took", "where"]) names.append(make("th", name));
  table.append(names);
  for (const [suite, each] of entries) {
    const line = make("tr");
    const where = [each.pod, each.node].filter(Boolean).join(" on ") || "this machine";
    const number = each.shard === null ? each.number : `${each.number}, shard ${each.shard}`;
    for (const text of [suite.name, number, each.cause, seconds(each.seconds), where]) line.append(make("td", text));
    table.append(line);
    if (each.evidence) {
      const why = make("tr"), cell = make("td", each.evidence);
      cell.colSpan = 5;
      why.append(cell);
      table.append(why);
    }
  }
  return entries.length ? [make("h3", "attempts"), table] : [];
}

/** Files as links, by what stands below the run's folder. */
function files(title, paths) {
  if (!paths.length) return [];
  const list = make("ul", undefined, "files");
  for (const path of paths) {
    const item = make("li");
    item.append(link(path.split("/").map(encodeURIComponent).join("/"), path.split("/").slice(2).join("/")));
    list.append(item);
  }
  return [make("h3", title), list];
}

const slug = text => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

/** How many names two paths share at their ends. */
function shared(one, other) {
  const [ones, others] = [one, other].map(path => path.split("/").reverse());
  const differ = ones.findIndex((name, place) => name !== others[place]);
  return differ < 0 ? ones.length : differ;
}

/** The file of a run that an attachment is: it has another path where it was received. */
function attached(path, files) {
  const most = Math.max(0, ...files.map(file => shared(file, path)));
  return most ? files.filter(file => shared(file, path) === most) : [];
}

/** The files of a run that are a test's: named like it, or attached by it. */
function filesOf(test, column) {
  const own = slug(test.name.split("::").pop().replace(/\[.*$/, "")), all = chosen.tier.runs[column].files;
  const isNamed = path => own.length > 5 && slug(path.split("/").slice(2).join("/")).includes(own);
  const said = (test.text(column)?.text || "").matchAll(/\[\[ATTACHMENT\|([^\]\n]+)\]\]/g);
  return [...new Set([...all.filter(isNamed), ...[...said].flatMap(([, path]) => attached(path, all))])];
}

function durations(test, now) {
  const space = "http://www.w3.org/2000/svg", picture = document.createElementNS(space, "svg");
  const times = chosen.tier.runs.map((_, column) => test.seconds(column) || 0).reverse();
  const longest = Math.max(...times), width = 480 / times.length;
  if (!longest) return [];
  const draw_ = (tag, values) => {
    const made = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(values)) made.setAttribute(name, value);
    picture.append(made);
  };
  for (const [name, value] of [["viewBox", "0 0 480 56"], ["preserveAspectRatio", "none"], ["role", "img"], ["aria-label", `seconds by run, oldest first; the longest took ${longest} s`]]) picture.setAttribute(name, value);
  times.forEach((value, place) => {
    const column = times.length - 1 - place, height = Math.max(value ? 1 : 0, value / longest * 54);
    draw_("rect", { x: place * width, y: 56 - height, width: Math.max(.5, width - .6), height, class: test.cells[column] + (column === now ? " now" : "") });
  });
  if (test.median) draw_("line", { x1: 0, x2: 480, y1: 56 - test.median / longest * 54, y2: 56 - test.median / longest * 54 });
  return [make("h3", `durations, oldest first; longest ${longest} s, the line is the median`), picture];
}

function testFacts(test) {
  const { runs } = chosen.tier, bad = test.since === null ? null : runs[test.since], gone = test.gone === null ? null : runs[test.gone];
  const slower = test.tier.slower.get(test.place);
  const told = run => {
    const said = make("span");
    said.append(linked(run, "commit", short(run.tested)) || "unknown commit", ` in the run of ${time(run)}`);
    return said;
  };
  return [
    ["suite", test.suite],
    ["file", test.file],
    ["standing", test.standing + (has("quarantined", test) ? ", in quarantine" : "")],
    ["passed", `${test.passed}`],
    ["failed", `${test.failed}`],
    ["skipped", `${test.skipped}`],
    ["median", seconds(test.median)],
    ["slower", slower && `${slower.label}, ${sinceWhen(slower)}`],
    ["flips", test.flips ? `${test.flips} on this branch` : ""],
    ["both on", test.mixed.map(short).join(", ")],
    ["gone since", gone && told(gone)],
    ["first bad", bad && told(bad)],
  ];
}

function runFacts(run) {
  return [
    ["verdict", run.summary || run.cause], ["tests", run.extent], ["run", linked(run, "run", run.id)], ["began", `${time(run)} UTC`],
    ["took", seconds(run.seconds)], ["on", run.environment], ["ref", linked(run, "pull request", run.ref)],
    [/^[0-9a-f]{7,}$/i.test(run.tested) ? "commit" : "tested", linked(run, "commit", run.tested)], ["trigger", run.trigger],
  ];
}

/** What of a suite did not run, and what ran when the results ended. */
const unfinished = suite => [
  suite.missing ? `${plural(suite.missing, "test")} did not run` : "",
  suite.running.length ? `running at the end: ${suite.running.join(", ")}` : "",
];

function tally(suite) {
  const more = [suite.uncounted, suite.shards ? `in ${suite.shards} shards` : "", ...unfinished(suite)].filter(Boolean);
  return [`${suite.cause}: ${suite.passed} passed, ${suite.failed} failed, ${suite.skipped} skipped`, ...more].join(", ");
}

/** A run's failures by what they said; each opens. */
function failuresOf(column) {
  const groups = new Map();
  for (const test of chosen.tier.all) {
    if (!FAILED.includes(test.cells[column])) continue;
    const said = firstLine(test.text(column)?.message || "") || "no message";
    groups.set(said, [...groups.get(said) || [], test]);
  }
  const made = [];
  for (const [said, tests] of [...groups].sort((one, other) => other[1].length - one[1].length).slice(0, 50)) {
    const list = make("ul", undefined, "failures");
    for (const test of tests.slice(0, 100)) {
      const item = make("li");
      item.append(button(test.name, () => open(test, column), "plain"));
      list.append(item);
    }
    if (tests.length > 100) list.append(make("li", `and ${tests.length - 100} more`));
    made.push(make("p", `${said} (${plural(tests.length, "test")})`, "said"), list);
  }
  return made.length ? [make("h3", "failures"), ...made] : [];
}

function runPanel(run, column) {
  const made = [make("h2", `run of ${time(run)}`), facts(runFacts(run))];
  made.push(make("h3", "suites"), facts(run.suites.map(suite => [suite.name, tally(suite)])));
  const notices = run.suites.flatMap(suite => suite.notices);
  if (notices.length) {
    const list = make("ul");
    for (const notice of notices) list.append(make("li", notice));
    made.push(make("h3", "notices"), list);
  }
  made.push(...failuresOf(column), ...attempts(run.suites));
  const stages = Object.entries(run.stages);
  if (stages.length) made.push(make("h3", "stages"), facts(stages.map(([name, value]) => [name, seconds(value)])));
  return [...made, ...files("files", run.files)];
}

function cellPanel(test, column) {
  const run = chosen.tier.runs[column], text = test.text(column), suite = test.suiteIn(column), again = test.reruns[column];
  const mark = test.cells[column], made = [make("h2", test.name)];
  made.push(facts([["outcome", WORDS[mark] + (again ? `, after ${again} run again` : "")], ["seconds", seconds(test.seconds(column))]]));
  if (text) {
    made.push(make("h3", "message"), make("pre", text.message || "none"));
    if (text.text) made.push(make("h3", "the end of its text"), make("pre", text.text));
  } else if (FAILED.includes(mark)) {
    made.push(make("p", "What it said is not on this page: see the run's junit.xml.", "quiet"));
  }
  made.push(...files("its files", filesOf(test, column)));
  made.push(make("h3", "the test"), facts(testFacts(test)), ...durations(test, column));
  made.push(make("h3", "the run"), facts(runFacts(run)), button("all of this run", () => open(null, column)));
  return [...made, ...(suite ? attempts([suite]) : [])];
}

/** Open a test in a run, a test (column -1) or a run (no test). */
function open(test, column) {
  Object.assign(shown, { test, column });
  const run = chosen.tier.runs[column];
  const made = test && run ? cellPanel(test, column)
    : test ? [make("h2", test.name), facts(testFacts(test)), ...durations(test, -1)]
    : runPanel(run, column);
  detail.replaceChildren(button("Close", () => { close(); focusCell(); }, "close"), ...made);
  detail.hidden = false;
  detail.scrollTop = 0;
  remember();
  draw();
  detail.focus();
}

function close() {
  Object.assign(shown, { test: null, column: -1 });
  detail.hidden = true;
  remember();
  draw();
}
