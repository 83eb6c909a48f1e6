/**
 * `node bench/dist/plots.js`: draws docs/three-ways/*.svg from the report of `pnpm bench ways`, or from the one that is named.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Report } from './report.ts'
import { chartsOf } from './ways-charts.ts'

const given = process.argv[2]
const file = given === undefined ? new URL('../results/ways.json', import.meta.url) : pathToFileURL(resolve(given))
const { figures } = JSON.parse(readFileSync(file, 'utf8')) as Report
const folder = new URL('../../docs/three-ways/', import.meta.url)
mkdirSync(folder, { recursive: true })
for (const [name, chart] of Object.entries(chartsOf(figures))) writeFileSync(new URL(name, folder), chart)
