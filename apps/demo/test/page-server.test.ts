import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, it } from 'vitest'

import { createPageServer, readPage } from '../src/page-server.ts'

let dir: string
let server: Server
let isReady: boolean

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pidmesh-page-'))
  mkdirSync(join(dir, 'page/assets'), { recursive: true })
  writeFileSync(join(dir, 'page/index.html'), '<!doctype html>')
  writeFileSync(join(dir, 'page/assets/index-1.js'), 'go()')
  writeFileSync(join(dir, 'secret.txt'), 'secret')
  isReady = true
})

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve))
  rmSync(dir, { recursive: true })
})

async function serve(
  page = join(dir, 'page'),
  url = 'http://127.0.0.1:8081',
): Promise<(path: string, host?: string) => Promise<Response>> {
  const urls = [
    { name: 'chat1@127.0.0.1', url },
    { name: 'chat2@127.0.0.1', url: 'http://127.0.0.1:8082' },
    { name: '</script>', url: 'http://127.0.0.1:8083' },
  ]
  server = createPageServer({
    name: 'chat1@127.0.0.1',
    page: readPage(page),
    urls,
    names: 'Redis, </script>',
    isReady: () => isReady,
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return (path, host = '127.0.0.1') =>
    fetch(`http://${host}:${port}${path}`, { headers: { connection: 'close' }, redirect: 'manual' })
}

it('serves the page so that a new build is seen, and its assets so that they are kept', async () => {
  const get = await serve()
  const page = await get('/')
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(page.headers.get('cache-control')).toBe('no-cache')
  expect(await page.text()).toBe('<!doctype html>')
  const asset = await get('/assets/index-1.js')
  expect(asset.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  expect(asset.headers.get('cache-control')).toContain('immutable')
})

it('writes into the page which nodes there are and how names are kept, and nothing that could end the script', async () => {
  writeFileSync(
    join(dir, 'page/index.html'),
    '<script id="nodes" type="application/json"></script><script src="/a.js"></script>',
  )
  const get = await serve()
  const html = await (await get('/')).text()
  expect(html).toContain('<script src="/a.js"></script>')
  const json = /<script id="nodes" type="application\/json">([^<]+)<\/script>/.exec(html)?.[1] ?? ''
  expect(JSON.parse(json)).toEqual({
    here: 'chat1@127.0.0.1',
    nodes: [
      { name: 'chat1@127.0.0.1', url: 'http://127.0.0.1:8081' },
      { name: 'chat2@127.0.0.1', url: 'http://127.0.0.1:8082' },
      { name: '</script>', url: 'http://127.0.0.1:8083' },
    ],
    names: 'Redis, </script>',
  })
})

it('lets the page run its own scripts only, and connect to the cluster only', async () => {
  const get = await serve()
  const policy = (await get('/')).headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("script-src 'self';")
  expect(policy).toContain("connect-src 'self' ws://127.0.0.1:8081 ws://127.0.0.1:8082 ws://127.0.0.1:8083;")
})

it.each(['/../secret.txt', '/%2e%2e/secret.txt', '/assets/..%2f..%2fsecret.txt', '/nothing', '/assets'])(
  'has nothing at %s',
  async (path) => {
    const get = await serve()
    expect((await get(path)).status).toBe(404)
  },
)

it('sends who comes by way of `localhost` to the address that its sockets are for', async () => {
  const get = await serve()
  const answer = await get('/', 'localhost')
  expect(answer.status).toBe(307)
  expect(answer.headers.get('location')).toBe('http://127.0.0.1:8081')
})

it('serves who comes by way of `localhost` if that is the address itself', async () => {
  const get = await serve(undefined, 'http://localhost:8081')
  expect((await get('/', 'localhost')).status).toBe(200)
})

it('says whether the node is ready', async () => {
  const get = await serve()
  isReady = false
  expect((await get('/healthz')).status).toBe(503)
  isReady = true
  expect(await (await get('/healthz')).json()).toEqual({ node: 'chat1@127.0.0.1', ready: true })
})

it('says so when the page is not built', async () => {
  const get = await serve(join(dir, 'nowhere'))
  const answer = await get('/')
  expect(answer.status).toBe(503)
  expect(await answer.text()).toContain('not built')
})
