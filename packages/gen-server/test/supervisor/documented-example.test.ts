import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('the example in docs/supervisors.md is one that runs', async () => {
  const example = readFileSync(new URL('documented-example.ts', import.meta.url), 'utf8')
  const document = readFileSync(new URL('../../../../docs/supervisors.md', import.meta.url), 'utf8')
  expect(document).toContain(`\`\`\`ts\n${example}\`\`\`\n`)
  await expect(import('./documented-example.ts')).resolves.toBeDefined()
})
