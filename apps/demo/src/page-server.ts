// Serves the built page and /healthz. The gateway hangs itself on the same server's `upgrade` event.
//
// The page is read into memory at the start: no path of a request ever reaches the file system. What it knows of the cluster is written into it, so that it can connect
// also if its node is gone by then.

import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { extname, join, relative, sep } from 'node:path'

import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'

import type { ChatNode, KnownNodes } from './messages.ts'

type PageFile = { type: string; cache: string; body: Uint8Array<ArrayBuffer> }

export type Page = ReadonlyMap<string, PageFile>

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const NODES_PLACE = /(<script id="nodes" type="application\/json">)[^<]*/

export type PageServerOptions = {
  name: string
  page: Page
  /** The nodes to whose sockets the page may connect, and of which it is told. */
  urls: readonly ChatNode[]
  /** How names are kept, for people. */
  names: string
  isReady: () => boolean
}

/** @param dir what vite has built; an empty page if it is not there */
export function readPage(dir: string): Page {
  const page = new Map<string, PageFile>()
  for (const file of filesUnder(dir)) {
    const path = `/${relative(dir, file).split(sep).join('/')}`
    const type = TYPES[extname(file)] ?? 'application/octet-stream'
    // Vite puts a hash of the content into the names of its assets.
    const cache = path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'
    page.set(path === '/index.html' ? '/' : path, { type, cache, body: new Uint8Array(readFileSync(file)) })
  }
  return page
}

export function createPageServer({ name, page, urls, names, isReady }: PageServerOptions): Server {
  const app = new Hono()
  const policy = contentSecurityPolicy(urls)
  const here = urls.find((node) => node.name === name)
  const isElsewhere = here !== undefined && new URL(here.url).hostname !== 'localhost'
  const index = page.get('/')
  const files =
    index === undefined ? page : new Map([...page, ['/', withNodes(index, { here: name, nodes: urls, names })]])

  app.use(async (c, next) => {
    await next()
    c.header('Content-Security-Policy', policy)
    c.header('X-Content-Type-Options', 'nosniff')
    c.header('Referrer-Policy', 'no-referrer')
  })

  app.get('/healthz', (c) => c.json({ node: name, ready: isReady() }, isReady() ? 200 : 503))

  app.get('*', (c) => {
    // Sockets are for pages that come from an address in `urls`, and people type `localhost`.
    if (isElsewhere && /^localhost(:|$)/.test(c.req.header('host') ?? '')) return c.redirect(here.url, 307)
    const file = files.get(c.req.path)
    if (file !== undefined) return c.body(file.body, 200, { 'Content-Type': file.type, 'Cache-Control': file.cache })
    if (c.req.path === '/' && page.size === 0) return c.text('The page is not built: pnpm build\n', 503)
    return c.text('Not found\n', 404)
  })

  // The adapter would replace the process's own Request and Response.
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  return createServer((request, response) => void listener(request, response))
}

function withNodes(file: PageFile, known: KnownNodes): PageFile {
  const json = JSON.stringify(known).replaceAll('<', '\\u003c')
  const html = Buffer.from(file.body)
    .toString()
    .replace(NODES_PLACE, (_, tag: string) => tag + json)
  return { ...file, body: new Uint8Array(Buffer.from(html)) }
}

function contentSecurityPolicy(urls: readonly ChatNode[]): string {
  const sockets = urls.map(({ url }) => url.replace(/^http/, 'ws'))
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${sockets.join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

function filesUnder(dir: string): readonly string[] {
  try {
    return readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  } catch {
    return []
  }
}
