/**
 * Figures as bars, in SVG that is readable in light and dark, with nothing but text and rectangles. Pure.
 */
import { formatNumber } from './table.ts'

/** A part of a row's bar: one, or several behind each other. */
export interface Part {
  readonly value: number
  /** Of `COLOURS`. */
  readonly colour: Colour
}

export interface Row {
  readonly label: string
  /** None: there is no such figure, and `note` says why. */
  readonly parts: readonly Part[]
  /** In place of the sum. */
  readonly note?: string
}

export interface Panel {
  readonly title: string
  readonly rows: readonly Row[]
  /** What colours mean. @default nothing is said */
  readonly legend?: readonly (readonly [Colour, string])[]
  /** The value of a bar as long as can be. @default the longest */
  readonly max?: number
}

/** In light and in dark. */
const COLOURS = {
  ours: ['#0b6e4f', '#4fc99a'],
  other: ['#5b7fa6', '#86abd6'],
  good: ['#3a9a5f', '#5cbf83'],
  told: ['#c9a227', '#e2c14d'],
  lost: ['#b3372f', '#e0695f'],
  late: ['#8a63a8', '#b48ed1'],
} as const satisfies Readonly<Record<string, readonly [string, string]>>

export type Colour = keyof typeof COLOURS

const WIDTH = 760
const LABEL = 190
const BAR = 430
const ROW = 24
const HEAD = 34
const LEGEND = 22
const GAP = 16

export function chartOf(panels: readonly Panel[]): string {
  let top = 0
  const drawn = panels.map((panel) => {
    const at = top
    top += heightOf(panel)
    return panelAt(panel, at)
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img">`,
    `<style>${styles()}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${top}"/>`,
    ...drawn,
    '</svg>',
    '',
  ].join('\n')
}

function heightOf({ rows, legend }: Panel): number {
  return HEAD + rows.length * ROW + (legend === undefined ? 0 : LEGEND) + GAP
}

function panelAt({ title, rows, legend = [], max }: Panel, top: number): string {
  const longest = max ?? Math.max(...rows.map(({ parts }) => sumOf(parts)), Number.MIN_VALUE)
  const lines = rows.map((row, index) => rowAt(row, top + HEAD + index * ROW, BAR / longest))
  const legendTop = top + HEAD + rows.length * ROW
  const keys = legend.map(
    ([colour, meaning], index) =>
      `<rect class="${colour}" x="${12 + index * 185}" y="${legendTop + 6}" width="10" height="10"/>` +
      `<text class="small" x="${28 + index * 185}" y="${legendTop + 15}">${escaped(meaning)}</text>`,
  )
  return [`<text class="title" x="12" y="${top + 22}">${escaped(title)}</text>`, ...lines, ...keys].join('\n')
}

function rowAt({ label, parts, note }: Row, top: number, scale: number): string {
  let left = LABEL
  const bars = parts.map(({ value, colour }) => {
    // Something is not nothing.
    const width = value > 0 ? Math.max(1, value * scale) : 0
    const bar = `<rect class="${colour}" x="${left.toFixed(1)}" y="${top + 4}" width="${width.toFixed(1)}" height="${ROW - 8}"/>`
    left += width
    return bar
  })
  const said = note ?? formatNumber(sumOf(parts))
  return [
    `<text x="${LABEL - 8}" y="${top + 16}" text-anchor="end">${escaped(label)}</text>`,
    ...bars,
    `<text class="small" x="${(left + 6).toFixed(1)}" y="${top + 16}">${escaped(said)}</text>`,
  ].join('')
}

function sumOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { value }) => sum + value, 0)
}

function styles(): string {
  const fills = (which: 0 | 1): string =>
    Object.entries(COLOURS)
      .map(([name, colours]) => `.${name}{fill:${colours[which]}}`)
      .join('')
  const common = 'text{font:13px system-ui,sans-serif}.title{font-weight:600}.small{font-size:12px}'
  return `${common}.ground{fill:#fff}text{fill:#1f2328}${fills(0)}@media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}${fills(1)}}`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
