import { startNode } from '@pidmesh/runtime'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'cookies-'))
const path = join(folder, 'cookie')
writeFileSync(path, 'the-former-one\n')
const name = 'former@127.0.0.1'

// #region one
const node = await startNode({ name, cookie: readFileSync(path, 'utf8').trim() })
// #endregion

writeFileSync(path, 'the-former-one\nthe-next-one\n')
const seeds = [node.address]

// #region several
const [first = '', ...others] = readFileSync(path, 'utf8')
  .trim()
  .split(/\s*\n\s*/)
const next = await startNode({ name: 'next@127.0.0.1', cookie: [first, ...others], seeds })
// #endregion

await next.stop()
await node.stop()
rmSync(folder, { recursive: true })
