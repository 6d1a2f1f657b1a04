// The grid itself. Only the rows and columns in view are in the document: 200,000 cells would take seconds.
const SPARE = 6;
const NARROW = matchMedia("(max-width: 640px)");
const grid = element("grid"), detail = element("detail"), tip = element("tip");
const size = { name: 440 };
let at = { row: 0, column: 0 };  // row -1 is the head, column -1 the name

// What stands above the runs: letters of it that must be legible, and its height in pixels where it does not fit and stands upright.
const LETTER = 7, LINE = 14;
const BANDS = [
  { name: "day", of: run => run.at.slice(yearsDiffer() ? 0 : 5, 10), legible: 10, upright: () => yearsDiffer() ? 64 : 34 },
  { name: "ref", of: run => run.ref && run.ref !== "unknown" ? run.ref : "", legible: 6, upright: () => 66 },
];

function yearsDiffer() {
  const { runs } = chosen.tier;
  return runs.length > 0 && runs[0].at.slice(0, 4) !== runs[runs.length - 1].at.slice(0, 4);
}

/** Yield the columns that share a value: first, behind the last, value. */
function* stretches(from, to, valueOf) {
  const { runs } = chosen.tier;
  for (let column = from; column < to;) {
    const value = valueOf(runs[column]);
    let end = column + 1;
    while (end < to && valueOf(runs[end]) === value) end++;
    if (value) yield [column, end, value];
    column = end;
  }
}

/** On a phone a test's name stands above its cells. */
function measure() {
  Object.assign(size, NARROW.matches
    ? { row: 48, column: 20, head: 72, left: 0 }
    : { row: 24, column: 18, head: 166, left: size.name });
  let top = 0;
  for (const band of BANDS) {
    const all = chosen.tier ? [...stretches(0, chosen.tier.runs.length, band.of)] : [];
    band.isUpright = all.some(([first, end, value]) => (end - first) * size.column < Math.min(value.length, band.legible) * LETTER);
    band.top = top;
    top += band.height = band.isUpright ? band.upright() : LINE;
  }
  size.head += top;
  document.documentElement.style.setProperty("--name", `${size.name}px`);
  document.documentElement.style.setProperty("--head", `${size.head}px`);
}

function view() {
  const { runs } = chosen.tier;
  const width = grid.clientWidth - size.left, height = grid.clientHeight - size.head;
  const first = Math.max(0, Math.floor(grid.scrollTop / size.row) - SPARE);
  const left = Math.max(0, Math.floor(grid.scrollLeft / size.column) - SPARE);
  return {
    first, last: Math.min(rows.length, first + Math.ceil(height / size.row) + 2 * SPARE),
    left, right: Math.min(runs.length, left + Math.ceil(width / size.column) + 2 * SPARE),
  };
}

function cellClass(test, column) {
  const mark = test.cells[column];
  if (mark === ".") return "c";
  return `c ${mark}${test.reruns[column] ? " r" : ""}${blameless(test.suiteIn(column) || chosen.tier.runs[column]) ? " h" : ""}`;
}

/** Cells stand in an element of their own, behind what is out of view. */
function cellsFrom(column) {
  const made = make("div", undefined, "cells");
  made.setAttribute("role", "none");
  const space = make("div");
  space.style.cssText = `flex:none;width:${column * size.column}px`;
  space.setAttribute("role", "none");
  made.append(space);
  return made;
}

/** Write a value above the columns that share it: along them, or upright at the first where there is no room. */
function label(band, heads, seen) {
  for (const [first, end, value] of stretches(seen.left, seen.right, band.of)) {
    const made = make("u", value, band.isUpright ? `${band.name} upright` : band.name);
    made.style.top = `${band.top + 1}px`;
    if (band.isUpright) made.style.height = `${band.height - 3}px`;
    else made.style.maxWidth = `${(end - first) * size.column - 3}px`;
    heads[first - seen.left].append(made);
  }
}

function head(run, column) {
  const cell = make("div", undefined, "run");
  const again = run.suites.some(suite => suite.attempts.some(each => each.number > 1));
  cell.setAttribute("role", "columnheader");
  cell.setAttribute("aria-colindex", column + 2);
  const told = [run.tested && short(run.tested), run.ref, run.extent, again && "after another attempt"].filter(Boolean);
  cell.setAttribute("aria-label", [`run of ${time(run)}: ${run.cause}`, ...told].join(", "));
  cell.dataset.column = column;
  cell.tabIndex = at.row === -1 && at.column === column ? 0 : -1;
  const letter = isSuspect(run) ? "S" : run.fault === "none" ? "" : run.fault[0].toUpperCase();
  cell.append(
    make("b", run.cause === "PASS" ? "" : run.cause, `cause ${run.fault}`),
    make("b", short(run.tested).slice(0, 10)),
    make("i", letter, `${isSuspect(run) ? "suspect" : run.fault}${again ? " again" : ""}${run.extent ? " part" : ""}`),
  );
  return cell;
}

function headRow(seen) {
  const row = make("div", undefined, "row head");
  row.setAttribute("role", "row");
  row.setAttribute("aria-rowindex", 1);
  row.style.width = `${size.left + chosen.tier.runs.length * size.column}px`;
  const corner = make("div", undefined, "name");
  corner.setAttribute("role", "columnheader");
  corner.append(make("span", "test"), handle());
  const cells = cellsFrom(seen.left), heads = [];
  for (let column = seen.left; column < seen.right; column++) heads.push(head(chosen.tier.runs[column], column));
  for (const band of BANDS) label(band, heads, seen);
  cells.append(...heads);
  row.append(corner, cells);
  return row;
}

/** What makes the column of names wider: by mouse, finger or keys. */
function handle() {
  const made = make("span", undefined, "handle");
  made.tabIndex = 0;
  const values = { role: "separator", "aria-orientation": "vertical", "aria-label": "width of the names", "aria-valuenow": size.name, "aria-valuemin": 120, "aria-valuemax": 1200 };
  for (const [name, value] of Object.entries(values)) made.setAttribute(name, value);
  return made;
}

function widen(width) {
  size.name = Math.round(Math.max(120, Math.min(1200, grid.clientWidth - 100, width)));
  measure();
  draw();
}

/** The end of a name says most: what is before it goes first where room is short. */
function nameOf(test) {
  const shown = make("b"), cut = test.name.lastIndexOf("::") + 2;
  if (cut > 1) shown.append(make("bdi", test.name.slice(0, cut), "path"));
  const end = make("span", undefined, "end");
  end.append(make("bdi", test.name.slice(cut > 1 ? cut : 0)));
  shown.append(end);
  return shown;
}

function tags(test) {
  const made = [];
  if (test.standing !== "stable") made.push(make("em", test.standing, test.standing.replace(" ", "-")));
  if (has("quarantined", test)) made.push(make("em", "quarantined", "quarantined"));
  if (has("new", test)) made.push(make("em", "new", "new"));
  return made;
}

function testCells(row, number, test, seen) {
  const name = make("div", undefined, "name");
  name.setAttribute("role", "rowheader");
  name.setAttribute("aria-colindex", 1);
  name.dataset.column = -1;
  name.tabIndex = at.row === number && at.column === -1 ? 0 : -1;
  name.append(nameOf(test), ...tags(test));
  const cells = cellsFrom(seen.left);
  for (let column = seen.left; column < seen.right; column++) {
    const cell = make("span", undefined, cellClass(test, column));
    cell.setAttribute("role", "gridcell");
    cell.setAttribute("aria-colindex", column + 2);
    cell.setAttribute("aria-label", WORDS[test.cells[column]]);
    cell.dataset.column = column;
    cell.tabIndex = at.row === number && at.column === column ? 0 : -1;
    cells.append(cell);
  }
  row.append(name, cells);
}

/** A row that is a heading: a section, a group of failures, the rest of one. */
function band(row, number, entry) {
  const cell = make("div", undefined, `band ${entry.kind}${entry.isCalm ? " calm" : ""}`);
  cell.setAttribute("role", "gridcell");
  cell.setAttribute("aria-colspan", chosen.tier.runs.length + 1);
  cell.dataset.column = -1;
  cell.tabIndex = at.row === number ? 0 : -1;
  if (entry.isOpen !== undefined) cell.setAttribute("aria-expanded", String(entry.isOpen));
  cell.append(make("bdi", entry.text));
  if (entry.more) cell.append(make("small", entry.more));
  row.append(cell);
}

function row(number, seen) {
  const made = make("div", undefined, "row"), entry = rows[number];
  made.setAttribute("role", "row");
  made.setAttribute("aria-rowindex", number + 2);
  made.dataset.row = number;
  made.style.top = `${size.head + number * size.row}px`;
  if (entry.kind === "test") testCells(made, number, entry.test, seen); else band(made, number, entry);
  return made;
}

function draw() {
  if (!chosen.tier) return;
  const had = grid.contains(document.activeElement) && !document.activeElement.classList.contains("handle");
  const onHandle = document.activeElement?.classList.contains("handle");
  const seen = view(), body = document.createDocumentFragment();
  body.append(headRow(seen));
  const room = make("div");
  room.setAttribute("role", "none");
  room.style.cssText = `height:${rows.length * size.row}px;width:${size.left + chosen.tier.runs.length * size.column}px`;
  body.append(room);
  for (let number = seen.first; number < seen.last; number++) body.append(row(number, seen));
  if (!rows.length) {
    const nothing = make("p", chosen.filter === "needs" && !chosen.words ? "Nothing needs anybody: no test fails or wavers here." : "No test is like that.", "nothing");
    body.append(nothing);
  }
  grid.style.setProperty("--view", `${grid.clientWidth}px`);
  grid.replaceChildren(body);
  if (had) focusCell();
  if (onHandle) grid.querySelector(".handle").focus({ preventScroll: true });
}

const cellAt = () => grid.querySelector(`${at.row === -1 ? ".head" : `[data-row="${at.row}"]`} [data-column="${at.column}"]`)
  || grid.querySelector(`[data-row="${at.row}"] [data-column]`);

function focusCell() {
  const cell = cellAt();
  if (!cell) return;
  cell.tabIndex = 0;
  const test = rows[at.row]?.test, run = chosen.tier.runs[at.column];
  if (test && run) cell.setAttribute("aria-label", `${WORDS[test.cells[at.column]]}, ${test.name}, ${time(run)}, ${run.cause}`);
  cell.focus({ preventScroll: true });
}

/** Scroll to a cell and put the keys there. */
function reveal() {
  const top = at.row * size.row, height = grid.clientHeight - size.head;
  if (at.row >= 0 && top < grid.scrollTop) grid.scrollTop = top;
  if (at.row >= 0 && top + size.row > grid.scrollTop + height) grid.scrollTop = top + size.row - height;
  const left = at.column * size.column, width = grid.clientWidth - size.left;
  if (at.column >= 0 && left < grid.scrollLeft) grid.scrollLeft = left;
  if (at.column >= 0 && left + size.column > grid.scrollLeft + width) grid.scrollLeft = left + size.column - width;
}

function move(row, column) {
  at = {
    row: Math.max(-1, Math.min(rows.length - 1, row)),
    column: Math.max(-1, Math.min(chosen.tier.runs.length - 1, column)),
  };
  if (at.row === -1 && at.column === -1) at.column = 0;
  reveal();
  draw();
  focusCell();
}
