// A load of LOAD_SECONDS on $SHOP_URL, in twelve windows: the median of each is a repetition of the
// benchmark. Checks and thresholds are the tests.
import exec from 'k6/execution'
import http from 'k6/http'
import { check } from 'k6'

const results = __ENV.FLOE_RESULTS_DIR || '/results'
const seconds = Number(__ENV.LOAD_SECONDS || 12)
const windows = [...Array(12).keys()]
const duration = (window) => `http_req_duration{window:${window}}`

export const options = {
  scenarios: {
    steady: { executor: 'constant-arrival-rate', rate: 50, duration: `${seconds}s`, preAllocatedVUs: 10 },
  },
  // k6 keeps the numbers of a window only where a threshold names it.
  thresholds: Object.fromEntries([
    ['http_req_failed', ['rate<0.01']],
    ...windows.map((window) => [duration(window), ['max>=0']]),
  ]),
}

export default function () {
  const window = Math.floor(exec.instance.currentTestRunDuration / 1000 / seconds * windows.length)
  const answer = http.get(`${__ENV.SHOP_URL}/basket`, { tags: { window: String(window) } })
  check(answer, {
    'the basket is there': ({ status }) => status === 200,
    'it says what it costs': ({ body }) => String(body).includes('total'),
  })
}

const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')

// Each check and each threshold is a test: k6 itself has no JUnit.
function junit(data) {
  const checks = data.root_group.checks.map(({ name, passes, fails }) => ({
    name, failure: fails > 0 && `failed ${fails} of ${passes + fails} times`,
  }))
  const thresholds = Object.entries(data.metrics)
    .filter(([name, metric]) => metric.thresholds && !name.includes('{window:'))
    .flatMap(([name, metric]) => Object.entries(metric.thresholds).map(([limit, { ok }]) => ({
      name: `${name} ${limit}`, failure: !ok && JSON.stringify(metric.values),
    })))
  const cases = [...checks, ...thresholds].map(({ name, failure }) =>
    `<testcase classname="load" name="${escaped(name)}">` +
    (failure ? `<failure message="${escaped(failure)}"/>` : '') + '</testcase>')
  const failures = [...checks, ...thresholds].filter(({ failure }) => failure).length
  return {
    tests: cases.length,
    xml: `<testsuite name="load" tests="${cases.length}" failures="${failures}">${cases.join('')}</testsuite>`,
  }
}

export function handleSummary(data) {
  const medians = windows.map((window) => data.metrics[duration(window)]?.values.med).filter((ms) => ms > 0)
  const { tests, xml } = junit(data)
  return {
    [`${results}/junit.xml`]: xml,
    [`${results}/collection.json`]: JSON.stringify({ collected: tests }),
    [`${results}/benchmark.json`]: JSON.stringify({
      fingerprint: { rate: 50, seconds },
      measurements: [{ name: 'basket', unit: 'ms', better: 'lower', values: medians }],
    }),
    stdout: `${tests} tests, ${data.metrics.http_reqs.values.count} requests\n`,
  }
}
