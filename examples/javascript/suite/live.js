// A reporter of Vitest that writes each test down as it happens, to events.jsonl, and once every file
// is collected the number of tests, to collection.json. A run shows its progress by them, and keeps
// them when its pod is killed. Names are those of Vitest's JUnit file.
// Source: https://vitest.dev/advanced/api/reporters
import { appendFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const results = process.env.FLOE_RESULTS_DIR ?? '/results'
const outcomes = { passed: 'passed', failed: 'failed', skipped: 'skipped' }

export default class Live {
  onInit(vitest) {
    this.root = vitest.config.root
  }

  onTestRunStart(specifications) {
    this.filesLeft = specifications.length
    this.collected = 0
    this.ready = new Set()
    this.write({ $report_type: 'SessionStart' })
  }

  onTestModuleCollected(module) {
    this.collected += [...module.children.allTests()].length
    this.filesLeft -= 1
    if (this.filesLeft === 0) {
      writeFileSync(join(results, '.collection'), JSON.stringify({ collected: this.collected }))
      renameSync(join(results, '.collection'), join(results, 'collection.json'))
    }
  }

  onTestCaseReady(test) {
    this.ready.add(test.id)
    this.report(test, 'setup', 'passed')
  }

  onTestCaseResult(test) {
    const result = test.result()
    const said = (result.errors ?? []).map((error) => error.stack ?? error.message).join('\n\n')
    const message = result.errors?.[0]?.message ?? result.note
    if (!this.ready.has(test.id)) this.report(test, 'setup', 'passed') // skipped from the start
    this.report(test, 'call', outcomes[result.state], {
      duration: (test.diagnostic()?.duration ?? 0) / 1000,
      ...(message && { longrepr: { reprcrash: { message } }, sections: [['error', said]] }),
    })
    this.report(test, 'teardown', 'passed')
  }

  onTestRunEnd(_modules, errors, reason) {
    const isRed = reason !== 'passed' || errors.length > 0
    this.write({ $report_type: 'SessionFinish', exitstatus: isRed ? 1 : 0 })
  }

  report(test, when, outcome, more = {}) {
    const classname = relative(this.root, test.module.moduleId)
    const nodeid = `${classname}::${test.fullName}`
    const names = { nodeid, classname, name: test.fullName }
    this.write({ $report_type: 'TestReport', ...names, when, outcome, ...more })
  }

  write(event) {
    appendFileSync(join(results, 'events.jsonl'), JSON.stringify(event) + '\n')
  }
}
