// Which tests are shown, and in which order: rows of the grid.
const SHOWN_OF_GROUP = 5;
const has = (word, test) => test.tier.which[word].has(test.place);
const FILTERS = {
  all: () => true,
  failing: test => has("failing", test),
  flaky: test => has("flaky", test),
  slow: test => has("slow", test),
  new: test => has("new", test) || has("newly", test),
  "never run": test => has("never", test),
  slower: test => test.tier.slower.has(test.place),
  gone: test => has("gone", test),
};
const ORDERS = {
  name: null,
  newest: (one, other) => one.newestFailure - other.newestFailure,
  failures: (one, other) => other.failed - one.failed,
  slowest: (one, other) => (other.median ?? -1) - (one.median ?? -1),
};

/** What is chosen: the address has all of it. */
const chosen = { tier: null, filter: "needs", words: "", order: "name", opened: new Set() };
/** @type {Array<{kind: string, text?: string, title?: string, key?: string, test?: Test}>} */
let rows = [];

const isWanted = test => {
  const words = chosen.words.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every(word => test.words.includes(word));
};

function sinceWhen(group) {
  if (!group.at) return "";
  const commit = group.commit && group.commit !== "unknown" ? `${short(group.commit)}, ` : "";
  return `since ${commit}${group.at.slice(0, 16).replace("T", " ")}`;
}

function rowsOfGroup(section, group, number) {
  const tests = group.tests.map(place => chosen.tier.all[place]).filter(isWanted);
  if (!tests.length && (group.tests.length || chosen.words)) return [];
  const key = `${section.name} ${number}`, made = [], isLong = tests.length > SHOWN_OF_GROUP + 1;
  const isOpen = chosen.opened.has(key) || !isLong;
  if (group.label) {
    const hit = [tests.length > 1 || group.runs ? plural(tests.length, "test") : "", group.runs ? plural(group.runs, "run") : "", sinceWhen(group)];
    made.push({ kind: "group", text: group.label, more: hit.filter(Boolean).join(", "), key, isOpen: isLong ? isOpen : undefined, isCalm: !group.runs });
  }
  for (const test of isOpen ? tests : tests.slice(0, SHOWN_OF_GROUP)) made.push({ kind: "test", test });
  if (!isOpen) made.push({ kind: "more", text: `and ${tests.length - SHOWN_OF_GROUP} more`, key });
  return made;
}

function rowsOfNeeds() {
  return chosen.tier.needs.flatMap(section => {
    const made = section.groups.flatMap((group, number) => rowsOfGroup(section, group, number));
    const count = section.groups.reduce((sum, group) => sum + (group.tests.length || 1), 0);
    return made.length ? [{ kind: "section", text: section.title, more: plural(count, "test") }, ...made] : [];
  });
}

/** Fill the rows anew from what is chosen. */
function choose() {
  if (chosen.filter === "needs") {
    rows = rowsOfNeeds();
  } else {
    const tests = chosen.tier.all.filter(test => FILTERS[chosen.filter](test) && isWanted(test));
    if (ORDERS[chosen.order]) tests.sort(ORDERS[chosen.order]);
    rows = tests.map(test => ({ kind: "test", test }));
  }
}

/** How many tests are shown, in words. */
function counted() {
  const shown = chosen.filter === "needs"
    ? new Set(chosen.tier.needs.flatMap(section => section.groups.flatMap(group => group.tests.filter(place => isWanted(chosen.tier.all[place]))))).size
    : rows.length;
  return `${shown} of ${chosen.tier.count} tests, ${plural(chosen.tier.runs.length, "run")}`;
}
