import { test } from 'vitest'

test('the till opens', async () => {
  if (process.env.SHOP_CASE === 'hang') await new Promise(() => setInterval(() => {}, 1000))
}, 3_600_000)
