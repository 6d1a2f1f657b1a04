"use strict";
// What the page knows, as report/page_data.py wrote it, and words for it.
const DATA = JSON.parse(document.getElementById("data").textContent);
const WORDS = { p: "passed", f: "failed", e: "error", q: "failed in quarantine", s: "skipped", ".": "not reported" };
const FAILED = "feq";

const element = id => document.getElementById(id);
/** Make an element whose text is text, whatever a test is called. */
const make = (tag, text, name) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
};
const plural = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
const time = run => run.at.slice(0, 16).replace("T", " ");
const seconds = value => value === null || value === undefined ? "" : `${value} s`;
/** A commit is known by its first digits; a version is not. */
const short = tested => tested.length > 12 && !tested.includes(" ") ? tested.slice(0, 8) : tested;
const firstLine = text => text.trim().split("\n", 1)[0];

// Nearly everything failed at once: no test is to blame for that either.
const isSuspect = run => run.cause === "SUSPECT_ENV";
const blameless = run => isSuspect(run) || run.fault !== "none" && run.fault !== "test";

class Test {
  /**
   * @param {number} place Its place in the tier's columns.
   * @param {string} name Its whole name.
   * @param {object} tier What it is a test of.
   */
  constructor(place, name, tier) {
    const table = tier.tests;
    this.place = place;
    this.name = name;
    this.tier = tier;
    this.suite = table.suites[table.suite[place]];
    this.file = table.files[table.file[place]] + (table.line[place] ? `:${table.line[place]}` : "");
    this.passed = table.passed[place];
    this.failed = table.failed[place];
    this.skipped = table.skipped[place];
    this.median = table.median[place];
    const { standing = "stable", flips = 0, mixed = [], since = null, gone = null, reruns = {} } = table.some[place] || {};
    Object.assign(this, { standing, flips, mixed, since, gone, reruns });
  }

  /** A letter a run, newest first. */
  get cells() {
    this.all ||= this.tier.tests.cells[this.place].replace(/([^0-9])([0-9]+)/g, (_, mark, count) => mark.repeat(Number(count)));
    return this.all;
  }

  seconds(column) {
    if (this.times === undefined) this.times = this.tier.tests.times[this.place]?.split(",") ?? [];
    return this.times[column] ? parseInt(this.times[column], 36) / 1000 : null;
  }

  text(column) {
    const found = this.tier.tests.texts[this.place]?.[column];
    return found ? { message: this.tier.texts[found[0]], text: this.tier.texts[found[1]] } : null;
  }

  /** The newest run that it failed in; none is infinitely long ago. */
  get newestFailure() {
    const found = this.cells.search(/[feq]/);
    return found < 0 ? Infinity : found;
  }

  /** What a search looks through: name, file, and all that it said. */
  get words() {
    if (this.found === undefined) {
      const said = Object.values(this.tier.tests.texts[this.place] || {}).map(([message]) => this.tier.texts[message]);
      this.found = [this.name, this.suite, this.file, ...new Set(said)].join("\n").toLowerCase();
    }
    return this.found;
  }

  suiteIn(column) {
    return this.tier.runs[column].suites.find(suite => suite.name === this.suite);
  }
}

/** Turn a tier's columns into tests, once. */
function read(tier) {
  if (tier.all) return tier;
  let name = "";
  tier.all = tier.tests.names.map(([shared, rest], place) => {
    // Python counts characters; JavaScript counts some of them twice.
    name = Array.from(name).slice(0, shared).join("") + rest;
    return new Test(place, name, tier);
  });
  tier.which = {};
  for (const [word, places] of Object.entries(tier.tests.which)) tier.which[word] = new Set(places);
  const slower = tier.needs.find(section => section.name === "slower");
  tier.slower = new Map(slower ? slower.groups.flatMap(group => group.tests.map(place => [place, group])) : []);
  return tier;
}
