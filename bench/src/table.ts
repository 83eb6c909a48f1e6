/**
 * The figures as text for a terminal. Pure.
 */
import type { Figure, Spread } from './figures.ts'
import type { Target } from './group.ts'

/** One row a figure: ours, each peer with the ratio of ours to it, the target, and whether it holds. */
export function tableOf(figures: readonly Figure[], peers: readonly string[]): string {
  const head = ['figure', 'unit', 'ours', ...peers.map((peer) => `${peer} (ours is)`), 'target', 'holds']
  const rows = figures.map((figure) => [
    figure.name,
    figure.unit,
    figure.ours === undefined ? '–' : formatNumber(figure.ours.median),
    ...peers.map((peer) => peerCell(figure, peer)),
    figure.target === undefined ? '' : formatTarget(figure.target, figure.higherIsBetter),
    verdictOf(figure),
  ])
  const widths = head.map((title, column) => Math.max(...[head, ...rows].map((row) => (row[column] ?? title).length)))
  const isNumber = (column: number): boolean => column >= 2 && column < 3 + peers.length
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd()
  return [head, widths.map((width) => '-'.repeat(width)), ...rows].map(line).join('\n')
}

/** How many targets hold, which don't, and which can't be judged. */
export function summaryOf(figures: readonly Figure[], missing: readonly string[]): string {
  const aimed = figures.filter(({ target }) => target !== undefined)
  const missed = aimed.filter(({ holds }) => holds === false)
  const unjudged = aimed.filter(({ holds }) => holds === undefined)
  const judged = aimed.length - unjudged.length
  const lines = [judged === 0 ? 'no target was judged' : `${judged - missed.length} of ${judged} targets hold`]
  for (const figure of missed) lines.push(`missed: ${figure.name}: ${missBy(figure)}`)
  if (missing.length > 0) lines.push(`not installed, so not measured: ${missing.join(', ')}`)
  for (const { name } of unjudged) lines.push(`not judged, ours or its peer is missing: ${name}`)
  return lines.join('\n')
}

/** @example 1,234,567 (1,200,000 … 1,300,000) */
export function formatSpread({ median, min, max }: Spread): string {
  return `${formatNumber(median)} (${formatNumber(min)} … ${formatNumber(max)})`
}

/** Three digits at least, and no more than are of use. */
export function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function peerCell({ ours, peers }: Figure, peer: string): string {
  const spread = peers[peer]
  if (spread === undefined) return '–'
  // Of nothing, such as the share of messages that are lost, nothing is a multiple.
  const ratio = ours === undefined || spread.median === 0 ? '' : ` (${formatNumber(ours.median / spread.median)} ×)`
  return `${formatNumber(spread.median)}${ratio}`
}

function formatTarget(target: Target, higherIsBetter: boolean): string {
  const sign = higherIsBetter ? '≥' : '≤'
  return 'absolute' in target ? `${sign} ${target.absolute}` : `${sign} ${target.ratio} × ${target.peer}`
}

function verdictOf({ ours, target, holds }: Figure): string {
  if (target === undefined) return ''
  if (ours === undefined) return '? ours is missing'
  if (holds === undefined) return 'peer' in target ? `? ${target.peer} is missing` : '?'
  return holds ? 'yes' : 'NO'
}

function missBy({ ours, target, ratio, unit, higherIsBetter }: Figure): string {
  if (target === undefined || ours === undefined) return ''
  const aim = formatTarget(target, higherIsBetter)
  return ratio === undefined
    ? `${formatNumber(ours.median)} ${unit}, target ${aim}`
    : `${formatNumber(ratio)} ×, target ${aim}`
}
