import { mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

// What SHOP_CASE asks for: green, red, or a test that never ends.
const mode = process.env.SHOP_CASE
const results = process.env.FLOE_RESULTS_DIR ?? '/results'

describe('a basket', () => {
  test.each([[[], 0], [[7], 7], [[3, 4], 7]])('of %j costs %i', (prices, total) => {
    expect(prices.reduce((sum, price) => sum + price, 0)).toBe(total)
  })

  test('needs a cluster', ({ skip }) => skip('needs a cluster'))

  test('gives a discount', async ({ annotate }) => {
    // A browser's screenshot is kept in the same way.
    mkdirSync(`${results}/shots`, { recursive: true })
    writeFileSync(`${results}/shots/basket.html`, '<h1>Basket</h1>')
    await annotate('shots/basket.html', 'attachment')
    expect(mode === 'red' ? 100 : 90).toBe(90)
  })
})
