// Mouse, keys and the address.

/** Write what is chosen and open into the address, so that it can be sent. */
function remember() {
  const { tier } = chosen, words = new URLSearchParams();
  if (DATA.tiers.length > 1 && tier !== DATA.tiers[0]) { words.set("on", tier.provider); words.set("branch", tier.branch); }
  if (chosen.filter !== firstFilter(tier)) words.set("filter", chosen.filter);
  if (chosen.words) words.set("find", chosen.words);
  if (chosen.order !== "name") words.set("order", chosen.order);
  if (shown.test) { words.set("test", shown.test.name); words.set("suite", shown.test.suite); }
  if (shown.column >= 0) words.set("run", tier.runs[shown.column].id);
  const address = words.toString().replaceAll("+", "%20");
  if (address !== location.hash.slice(1)) history.replaceState(null, "", address ? `#${address}` : location.href.split("#")[0]);
}

const firstFilter = tier => tier.needs.length ? "needs" : "all";

/** Choose and open what the address says; what it does not know is passed over. */
function recall() {
  const words = new URLSearchParams(location.hash.slice(1));
  const number = DATA.tiers.findIndex(each => each.provider === words.get("on") && each.branch === words.get("branch"));
  turnTo(Math.max(0, number));
  Object.assign(shown, { test: null, column: -1 });
  detail.hidden = true;
  const wanted = words.get("filter");
  chosen.filter = wanted === "needs" || FILTERS[wanted] ? wanted : firstFilter(chosen.tier);
  chosen.words = words.get("find") || "";
  chosen.order = words.get("order") in ORDERS ? words.get("order") : "name";
  show();
  const test = words.has("test") && chosen.tier.all.find(each => each.name === words.get("test") && [null, each.suite].includes(words.get("suite")));
  const { runs } = chosen.tier, run = words.get("run");
  const found = runs.findIndex(each => each.id === run), column = found >= 0 ? found : run !== null && runs[Number(run)] ? Number(run) : -1;
  if (!test && column < 0) return;
  const place = rows.findIndex(each => each.test === test);
  at = { row: test ? Math.max(0, place) : -1, column: test && column < 0 ? -1 : column };
  reveal();
  open(test || null, test && run === null ? -1 : column);
}

function turnTo(number) {
  chosen.tier = read(DATA.tiers[number]);
  measure();
  chosen.opened.clear();
  if (element("tier")) element("tier").value = String(number);
  for (const section of document.querySelectorAll(".provider")) section.hidden = Number(section.dataset.provider) !== number;
}

/** Show the rows of what is chosen, from the top. */
function show() {
  choose();
  at = { row: Math.max(0, rows.findIndex(each => each.test)), column: 0 };
  grid.setAttribute("aria-rowcount", rows.length + 1);
  grid.setAttribute("aria-colcount", chosen.tier.runs.length + 1);
  element("count").textContent = counted();
  element("search").value = chosen.words;
  element("order").value = chosen.order;
  element("order").disabled = chosen.filter === "needs";
  for (const each of document.querySelectorAll("#filters button")) each.setAttribute("aria-pressed", String(each.dataset.filter === chosen.filter));
  grid.scrollTop = 0;
  draw();
}

function place(target) {
  const cell = target.closest("[data-column]");
  if (!cell || !grid.contains(cell)) return null;
  const line = cell.closest("[data-row]");
  return { row: line ? Number(line.dataset.row) : -1, column: Number(cell.dataset.column) };
}

/** Open what is under the keys or the mouse: a heading shows or hides the rest of its group. */
function enter() {
  const entry = rows[at.row];
  if (at.row < 0) open(null, at.column);
  else if (entry.kind === "test") open(entry.test, at.column);
  else if (entry.key) {
    if (!chosen.opened.delete(entry.key)) chosen.opened.add(entry.key);
    choose();
    grid.setAttribute("aria-rowcount", rows.length + 1);
    move(Math.min(at.row, rows.length - 1), -1);
  }
}

function tell(event) {
  const found = place(event.target), test = found && rows[found.row]?.test, run = found && chosen.tier.runs[found.column];
  const entry = found && rows[found.row], lines = [];
  if (entry && !test) lines.push(entry.text, entry.more || "");
  if (test) lines.push(test.name);
  if (test && run) {
    const said = test.text(found.column);
    lines.push(`${WORDS[test.cells[found.column]]} ${seconds(test.seconds(found.column))}`);
    if (said && said.message) lines.push(said.message.slice(0, 200));
  }
  if (run) lines.push(`${time(run)} ${run.cause}`, [run.tested, run.ref].filter(Boolean).join(" "));
  if (run && !test) lines.push(run.summary.slice(0, 300), run.extent);
  tip.hidden = !lines.length;
  tip.textContent = lines.filter(Boolean).join("\n");
  if (tip.hidden) return;
  const box = event.target.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(box.left + 20, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.min(box.bottom + 4, innerHeight - tip.offsetHeight - 8)}px`;
}

function press(event) {
  if (event.target.classList.contains("handle")) {
    const step = { ArrowLeft: -20, ArrowRight: 20 }[event.key];
    if (step) { widen(size.name + step); event.preventDefault(); }
    return;
  }
  const page = Math.max(1, Math.floor((grid.clientHeight - size.head) / size.row) - 1);
  const moves = {
    ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageDown: [page, 0], PageUp: [-page, 0],
    Home: [0, -1e9], End: [0, 1e9],
  };
  if (event.key === "Enter" || event.key === " ") enter();
  else if (event.ctrlKey && event.key === "Home") move(0, 0);
  else if (event.ctrlKey && event.key === "End") move(1e9, 1e9);
  else if (moves[event.key]) move(at.row + moves[event.key][0], at.column + moves[event.key][1]);
  else return;
  event.preventDefault();
}

function listen() {
  grid.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(() => { measure(); draw(); }).observe(grid);
  grid.addEventListener("click", event => {
    const found = place(event.target);
    if (found) { at = found; enter(); }
  });
  grid.addEventListener("keydown", press);
  grid.addEventListener("mouseover", tell);
  grid.addEventListener("mouseleave", () => { tip.hidden = true; });
  grid.addEventListener("pointerdown", event => {
    if (!event.target.classList.contains("handle")) return;
    const begin = event.clientX - size.name, drag = moved => widen(moved.clientX - begin);
    addEventListener("pointermove", drag);
    addEventListener("pointerup", () => removeEventListener("pointermove", drag), { once: true });
    event.preventDefault();
  });
  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && !detail.hidden) { close(); focusCell(); }
  });
  element("filters").addEventListener("click", event => {
    if (event.target.dataset.filter) { chosen.filter = event.target.dataset.filter; show(); remember(); }
  });
  element("search").addEventListener("input", event => { chosen.words = event.target.value; show(); remember(); });
  element("order").addEventListener("change", event => { chosen.order = event.target.value; show(); remember(); });
  element("tier")?.addEventListener("change", event => {
    close();
    turnTo(Number(event.target.value));
    if (chosen.filter === "needs") chosen.filter = firstFilter(chosen.tier);
    show();
    remember();
  });
  addEventListener("hashchange", recall);
}

measure();
listen();
recall();
document.documentElement.dataset.readyMilliseconds = Math.round(performance.now());
