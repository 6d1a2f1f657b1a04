"use strict";
// Only the rows and columns in view are in the document: 200,000 cells would take seconds.
(() => {
  const DATA = JSON.parse(document.getElementById("data").textContent);
  const WORDS = { p: "passed", f: "failed", e: "error", q: "failed in quarantine", s: "skipped", ".": "not reported" };
  const ROW = 24, COLUMN = 18, HEAD = 70, NAME = 440, SPARE = 6;
  const FILTERS = {
    all: () => true,
    failing: test => test.fail,
    flaky: test => test.flaky,
    slow: test => test.slow,
    new: test => test.fresh || test.newly,
    "never run": test => test.never,
    gone: test => test.gone !== null,
  };
  const element = id => document.getElementById(id);
  const grid = element("grid"), detail = element("detail"), tip = element("tip");
  let tier, tests, filter = "all", words = "";
  let at = { row: 0, column: 0 };  // row -1 is the head, column -1 the name

  const make = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  const time = run => run.at.slice(0, 16).replace("T", " ");
  const seconds = value => value === null ? "" : `${value} s`;
  const cellSeconds = (test, column) => {
    test.times ||= test.ms.split(",");
    const text = test.times[column];
    return text ? parseInt(text, 36) / 1000 : null;
  };
  // Nearly everything failed at once: no test is to blame for that either.
  const isSuspect = run => run.cause === "SUSPECT_ENV";
  const blameless = run => isSuspect(run) || run.fault !== "none" && run.fault !== "test";
  const textOf = (test, column) => {
    const found = test.texts[column];
    return found ? { message: tier.texts[found[0]], text: tier.texts[found[1]] } : null;
  };

  function cellClass(test, column, suite) {
    const mark = test.cells[column];
    if (mark === ".") return "c";
    return `c ${mark}${test.reruns[column] ? " r" : ""}${blameless(suite || tier.runs[column]) ? " h" : ""}`;
  }
  const suiteOf = (test, column) => tier.runs[column].suites.find(suite => suite.name === test.suite);

  function view() {
    const width = grid.clientWidth - NAME, height = grid.clientHeight - HEAD;
    const first = Math.max(0, Math.floor(grid.scrollTop / ROW) - SPARE);
    const left = Math.max(0, Math.floor(grid.scrollLeft / COLUMN) - SPARE);
    return {
      first, last: Math.min(tests.length, first + Math.ceil(height / ROW) + 2 * SPARE),
      left, right: Math.min(tier.runs.length, left + Math.ceil(width / COLUMN) + 2 * SPARE),
    };
  }

  function headRow(seen) {
    const row = make("div", undefined, "row head");
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", 1);
    row.style.width = `${NAME + tier.runs.length * COLUMN}px`;
    const corner = make("div", undefined, "name");
    corner.setAttribute("role", "columnheader");
    corner.append(make("b", "test"));
    row.append(corner);
    const longest = Math.max(...tier.runs.map(run => run.seconds || 0)) || 1;
    row.append(spacer(seen.left));
    let day = "";
    for (let column = seen.left; column < seen.right; column++) {
      const run = tier.runs[column];
      const cell = make("div", undefined, "run");
      cell.setAttribute("role", "columnheader");
      cell.setAttribute("aria-colindex", column + 2);
      cell.setAttribute("aria-label", `run of ${time(run)}: ${run.cause}`);
      cell.dataset.column = column;
      cell.tabIndex = at.row === -1 && at.column === column ? 0 : -1;
      if (run.at.slice(0, 10) !== day) {
        if (!day || column % 5 === 0 || run.at.slice(0, 10) !== day) cell.append(make("u", run.at.slice(5, 10)));
        day = run.at.slice(0, 10);
      }
      const bar = make("s");
      bar.style.height = `${Math.round((run.seconds || 0) / longest * 30)}px`;
      const letter = isSuspect(run) ? "S" : run.fault === "none" ? "" : run.fault[0].toUpperCase();
      const again = run.suites.some(suite => suite.attempts.some(each => each.number > 1));
      if (again) cell.setAttribute("aria-label", `${cell.getAttribute("aria-label")}, after another attempt`);
      cell.append(bar, make("i", letter, `${isSuspect(run) ? "suspect" : run.fault}${again ? " again" : ""}`));
      row.append(cell);
    }
    // Labels of neighbouring days would lie on each other.
    let free = -1;
    for (const label of row.querySelectorAll("u")) {
      const column = Number(label.parentNode.dataset.column);
      if (column < free) label.remove(); else free = column + 3;
    }
    return row;
  }

  function spacer(columns) {
    const made = make("div");
    made.style.cssText = `flex:none;width:${columns * COLUMN}px`;
    made.setAttribute("role", "none");
    return made;
  }

  function testRow(number, seen) {
    const test = tests[number];
    const row = make("div", undefined, "row");
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", number + 2);
    row.dataset.row = number;
    row.style.top = `${HEAD + number * ROW}px`;
    const name = make("div", undefined, "name");
    name.setAttribute("role", "rowheader");
    name.setAttribute("aria-colindex", 1);
    name.dataset.column = -1;
    name.tabIndex = at.row === number && at.column === -1 ? 0 : -1;
    const shown = make("b");
    shown.append(make("bdi", test.name));
    name.append(shown);
    if (test.standing !== "stable") name.append(make("em", test.standing, test.standing.replace(" ", "-")));
    if (test.quarantined) name.append(make("em", "quarantined", "quarantined"));
    if (test.fresh) name.append(make("em", "new", "new"));
    row.append(name, spacer(seen.left));
    for (let column = seen.left; column < seen.right; column++) {
      const cell = make("span", undefined, cellClass(test, column, suiteOf(test, column)));
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", column + 2);
      cell.setAttribute("aria-label", WORDS[test.cells[column]]);
      cell.dataset.column = column;
      cell.tabIndex = at.row === number && at.column === column ? 0 : -1;
      row.append(cell);
    }
    return row;
  }

  function draw() {
    const had = grid.contains(document.activeElement);
    const seen = view(), body = document.createDocumentFragment();
    body.append(headRow(seen));
    const room = make("div");
    room.setAttribute("role", "none");
    room.style.cssText = `height:${tests.length * ROW}px;width:${NAME + tier.runs.length * COLUMN}px`;
    body.append(room);
    for (let number = seen.first; number < seen.last; number++) body.append(testRow(number, seen));
    grid.replaceChildren(body);
    if (had) focusCell();
  }

  function choose() {
    const wanted = words.toLowerCase();
    tests = tier.tests.filter(test => FILTERS[filter](test) && test.name.toLowerCase().includes(wanted));
    at = { row: 0, column: 0 };
    grid.setAttribute("aria-rowcount", tests.length + 1);
    grid.setAttribute("aria-colcount", tier.runs.length + 1);
    element("count").textContent = `${tests.length} of ${tier.tests.length} tests, ${tier.runs.length} runs`
      + (tier.all > tier.tests.length ? `; ${tier.all - tier.tests.length} more are too many for a page` : "");
    for (const button of document.querySelectorAll("#filters button")) {
      button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
    }
    grid.scrollTop = 0;
    draw();
  }

  function provider(number) {
    tier = DATA.tiers[number];
    for (const section of document.querySelectorAll(".provider")) {
      section.hidden = Number(section.dataset.provider) !== number;
    }
    close();
    choose();
  }

  const cellAt = () => at.row === -1
    ? grid.querySelector(`.head [data-column="${at.column}"]`)
    : grid.querySelector(`[data-row="${at.row}"] [data-column="${at.column}"]`);

  function focusCell() {
    const cell = cellAt();
    if (!cell) return;
    cell.tabIndex = 0;
    if (at.row >= 0 && at.column >= 0) {
      const test = tests[at.row], run = tier.runs[at.column];
      cell.setAttribute("aria-label", `${WORDS[test.cells[at.column]]}, ${test.name}, ${time(run)}, ${run.cause}`);
    }
    cell.focus({ preventScroll: true });
  }

  function move(row, column) {
    at = {
      row: Math.max(-1, Math.min(tests.length - 1, row)),
      column: Math.max(-1, Math.min(tier.runs.length - 1, column)),
    };
    if (at.row === -1 && at.column === -1) at.column = 0;
    const top = at.row * ROW, height = grid.clientHeight - HEAD;
    if (at.row >= 0 && top < grid.scrollTop) grid.scrollTop = top;
    if (at.row >= 0 && top + ROW > grid.scrollTop + height) grid.scrollTop = top + ROW - height;
    const left = at.column * COLUMN, width = grid.clientWidth - NAME;
    if (at.column >= 0 && left < grid.scrollLeft) grid.scrollLeft = left;
    if (at.column >= 0 && left + COLUMN > grid.scrollLeft + width) grid.scrollLeft = left + COLUMN - width;
    draw();
    focusCell();
  }

  function facts(pairs) {
    const list = make("dl");
    for (const [name, value] of pairs) {
      if (value === "" || value === null || value === undefined) continue;
      list.append(make("dt", name), make("dd", value));
    }
    return list;
  }

  function attempts(suites) {
    const rows = suites.flatMap(suite => suite.attempts.map(each => [suite, each]));
    if (!rows.length) return [];
    const table = make("table"), head = make("tr");
    for (const title of ["suite", "attempt", "verdict", "time", "where"]) head.append(make("th", title));
    table.append(head);
    for (const [suite, each] of rows) {
      const row = make("tr");
      const where = [each.pod, each.node].filter(Boolean).join(" on ") || "this machine";
      const number = each.shard === null ? each.number : `${each.number}, shard ${each.shard}`;
      for (const text of [suite.name, number, each.cause, seconds(each.seconds), where]) row.append(make("td", text));
      table.append(row);
      if (each.evidence) {
        const why = make("tr"), cell = make("td", each.evidence);
        cell.colSpan = 5;
        why.append(cell);
        table.append(why);
      }
    }
    return [make("h3", "attempts"), table];
  }

  function durations(test, now) {
    const space = "http://www.w3.org/2000/svg", picture = document.createElementNS(space, "svg");
    const times = tier.runs.map((_, column) => cellSeconds(test, column) || 0).reverse();
    const longest = Math.max(...times) || 1, width = 480 / times.length;
    picture.setAttribute("viewBox", "0 0 480 56");
    picture.setAttribute("preserveAspectRatio", "none");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", `seconds by run, oldest first; the longest took ${longest} s`);
    times.forEach((value, place) => {
      const column = times.length - 1 - place, bar = document.createElementNS(space, "rect");
      const height = Math.max(value ? 1 : 0, value / longest * 54);
      const values = { x: place * width, y: 56 - height, width: Math.max(.5, width - .6), height, class: test.cells[column] + (column === now ? " now" : "") };
      for (const name of Object.keys(values)) bar.setAttribute(name, values[name]);
      picture.append(bar);
    });
    return [make("h3", `durations, oldest first; longest ${longest} s`), picture];
  }

  function testFacts(test) {
    const bad = test.since === null ? null : tier.runs[test.since];
    const gone = test.gone === null ? null : tier.runs[test.gone];
    return [
      ["suite", test.suite],
      ["file", test.file],
      ["standing", test.standing + (test.quarantined ? ", in quarantine" : "")],
      ["passed", `${test.passed}`],
      ["failed", `${test.failed}`],
      ["skipped", `${test.skipped}`],
      ["median", seconds(test.median)],
      ["flips", test.flips ? `${test.flips} on the default branch` : ""],
      ["both on", test.mixed.map(each => each.slice(0, 10)).join(", ")],
      ["gone since", gone ? `${gone.commit || "unknown commit"} in the run of ${time(gone)}` : ""],
      ["first bad", bad ? `${bad.commit || "unknown commit"} in the run of ${time(bad)}` : ""],
    ];
  }

  function runFacts(run) {
    return [
      ["run", run.id], ["began", `${time(run)} UTC`], ["took", seconds(run.seconds)], ["on", run.environment],
      ["ref", run.ref], ["commit", run.commit], ["trigger", run.trigger], ["verdict", run.summary || run.cause],
    ];
  }

  function open() {
    const shown = [], close_ = make("button", "Close");
    close_.type = "button";
    close_.addEventListener("click", () => { close(); focusCell(); });
    shown.push(close_);
    const test = at.row >= 0 ? tests[at.row] : null, run = at.column >= 0 ? tier.runs[at.column] : null;
    if (test && run) {
      const text = textOf(test, at.column), suite = suiteOf(test, at.column), again = test.reruns[at.column];
      shown.push(make("h2", test.name));
      shown.push(facts([
        ["outcome", WORDS[test.cells[at.column]] + (again ? `, after ${again} run again` : "")],
        ["seconds", seconds(cellSeconds(test, at.column))],
      ]));
      if (text) {
        shown.push(make("h3", "message"), make("pre", text.message || "none"));
        if (text.text) shown.push(make("h3", "the end of its text"), make("pre", text.text));
      }
      else if ("feq".includes(test.cells[at.column])) shown.push(make("p", "What it said is not on this page: see the run's junit.xml.", "quiet"));
      shown.push(make("h3", "the run"), facts(runFacts(run)));
      if (suite) shown.push(...attempts([suite]));
      shown.push(make("h3", "the test"), facts(testFacts(test)), ...durations(test, at.column));
    } else if (test) {
      shown.push(make("h2", test.name), facts(testFacts(test)), ...durations(test, -1));
    } else {
      shown.push(make("h2", `run of ${time(run)}`), facts(runFacts(run)));
      const tallies = run.suites.map(suite => [suite.name, `${suite.cause}: ${suite.passed} passed, ${suite.failed} failed, ${suite.skipped} skipped${suite.uncounted ? `, ${suite.uncounted}` : ""}${suite.shards ? `, in ${suite.shards} shards` : ""}`]);
      shown.push(make("h3", "suites"), facts(tallies), ...attempts(run.suites));
      shown.push(make("h3", "stages"), facts(Object.entries(run.stages).map(([name, value]) => [name, seconds(value)])));
    }
    detail.replaceChildren(...shown);
    detail.hidden = false;
    draw();
    detail.focus();
  }

  function close() {
    detail.hidden = true;
    if (tests) draw();
  }

  function place(target) {
    const cell = target.closest("[data-column]");
    if (!cell || !grid.contains(cell)) return null;
    const row = cell.closest("[data-row]");
    return { row: row ? Number(row.dataset.row) : -1, column: Number(cell.dataset.column) };
  }

  grid.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(() => tests && draw()).observe(grid);
  grid.addEventListener("click", event => {
    const found = place(event.target);
    if (found) { at = found; open(); }
  });
  grid.addEventListener("keydown", event => {
    const page = Math.max(1, Math.floor((grid.clientHeight - HEAD) / ROW) - 1);
    const moves = {
      ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageDown: [page, 0], PageUp: [-page, 0],
      Home: [0, -1e9], End: [0, 1e9],
    };
    if (event.key === "Enter" || event.key === " ") open();
    else if (event.ctrlKey && event.key === "Home") move(0, 0);
    else if (event.ctrlKey && event.key === "End") move(1e9, 1e9);
    else if (moves[event.key]) move(at.row + moves[event.key][0], at.column + moves[event.key][1]);
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && !detail.hidden) { close(); focusCell(); }
  });
  grid.addEventListener("mouseover", event => {
    const found = place(event.target);
    tip.hidden = !found;
    if (!found) return;
    const run = found.column >= 0 ? tier.runs[found.column] : null, test = found.row >= 0 ? tests[found.row] : null;
    const lines = [];
    if (test) lines.push(test.name);
    if (test && run) {
      const text = textOf(test, found.column);
      lines.push(`${WORDS[test.cells[found.column]]} ${seconds(cellSeconds(test, found.column))}`);
      if (text && text.message) lines.push(text.message.slice(0, 200));
    }
    if (run) lines.push(`${time(run)} ${run.cause}, ${(run.commit || "").slice(0, 10)} ${run.ref || ""}`);
    tip.textContent = lines.join("\n");
    const box = event.target.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(box.left + 20, innerWidth - 480))}px`;
    tip.style.top = `${Math.min(box.bottom + 4, innerHeight - tip.offsetHeight - 8)}px`;
  });
  grid.addEventListener("mouseleave", () => { tip.hidden = true; });
  element("filters").addEventListener("click", event => {
    if (event.target.dataset.filter) { filter = event.target.dataset.filter; choose(); }
  });
  element("search").addEventListener("input", event => { words = event.target.value; choose(); });
  element("provider")?.addEventListener("change", event => provider(Number(event.target.value)));

  // A page may be opened at a filter, or at a test and a run: report.html#filter=flaky&test=t::x&run=1
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (FILTERS[wanted.get("filter")]) filter = wanted.get("filter");
  provider(0);
  if (wanted.has("test")) {
    const row = tests.findIndex(test => test.name === wanted.get("test"));
    if (row >= 0) { at = { row, column: Number(wanted.get("run") || 0) }; open(); }
  }
  document.documentElement.dataset.readyMilliseconds = Math.round(performance.now());
})();
