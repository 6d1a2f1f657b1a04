import { tmpdir } from 'node:os'
import { defineConfig } from 'vitest/config'

const results = process.env.FLOE_RESULTS_DIR ?? '/results'

export default defineConfig({
  cacheDir: `${tmpdir()}/vite`, // an image's own folder is read-only,
  test: {
    reporters: ['verbose', './live.js', ['junit', { includeConsoleOutput: true }]],
    outputFile: { junit: `${results}/junit.xml` },
  },
})
