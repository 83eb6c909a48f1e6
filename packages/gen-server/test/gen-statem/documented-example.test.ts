import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('the example in docs/gen-statem.md is one that runs, and does what it says', async () => {
  const example = readFileSync(new URL('documented-example.ts', import.meta.url), 'utf8')
  const document = readFileSync(new URL('../../../../docs/gen-statem.md', import.meta.url), 'utf8')
  expect(document).toContain(`\`\`\`ts\n${example}\`\`\`\n`)
  const { outcome } = await import('./documented-example.ts')
  expect(outcome).toEqual({
    received: ['first: one', 'second: two'],
    attached: 'attached',
    data: { delivered: 2 },
    isAlive: false,
  })
})
