/**
 * What is asked at the end: no more faults, no more changes, and time enough.
 */
import type { Judge } from './judge.ts'
import { NONE, type Member } from './member.ts'
import type { Plan } from './plan.ts'

/** Whether all nodes have come to the same, as far as each can know. */
export function isConverged(members: readonly Member[], plan: Plan): boolean {
  for (const member of members) {
    const { table, log } = member.table.replica
    if (table.hasWork || table.hasSuspects || member.table.watches.isDue) return false
    if (plan.loser === 'exit' && [...member.procs.values()].some(({ isAlive, lost }) => isAlive && lost.size > 0))
      return false
    for (const other of members) {
      if (other === member) continue
      const view = other.table.replica.views.get(member.node.name)
      const { own } = table
      if (view?.state !== 'live' || view.life !== log.life || view.seq !== log.seq) return false
      if (view.copy?.count !== own.count || view.copy.digest !== own.digest) return false
    }
  }
  return true
}

export function judgeEnd(judge: Judge, members: readonly Member[], plan: Plan): void {
  const [first] = members
  const picture = first === undefined ? [] : pictureOf(first)
  let own = 0
  for (const member of members) {
    const { host, node } = member
    const { table } = member.table.replica
    if (node.nodes().length !== members.length - 1) judge.breach(`${host} is connected with ${node.nodes().join()}`)
    judgeViews(judge, member, members)
    judgeOwn(judge, member)
    own += table.own.count
    const seen = pictureOf(member)
    if (seen.join() !== picture.join())
      judge.breach(`${host} sees ${differenceOf(seen, picture)}, unlike ${first?.host}: ${differenceOf(picture, seen)}`)
    if (table.size !== picture.length) judge.breach(`${host} says it sees ${table.size}, of ${picture.length}`)
    const counts = members.map((other) => countOn(member, other))
    const wanted = members.map((other) => other.table.replica.table.own.count)
    if (counts.join() !== wanted.join()) judge.breach(`${host} counts ${counts.join()}, of ${wanted.join()}`)
    if (table.hasWork || table.hasSuspects) judge.breach(`${host} still has something to do`)
    judgeProcs(judge, member, plan)
  }
  for (const member of members) {
    const { rowsHeld } = member.table.replica.table
    if (rowsHeld !== own) judge.breach(`${member.host} holds ${rowsHeld} rows, of ${own} that there are`)
  }
  // Of a name there is one claim in the whole cluster; of a group as many as there are.
  if (plan.kind === 'names' && own !== picture.length)
    judge.breach(`there are ${own} claims, to ${picture.length} names`)
}

function judgeViews(judge: Judge, member: Member, members: readonly Member[]): void {
  for (const other of members) {
    if (other === member) continue
    const view = member.table.replica.views.get(other.node.name)
    const { log, table } = other.table.replica
    const has = `${view?.state} ${view?.seq} ${view?.copy?.count} ${view?.copy?.digest}`
    const wanted = `live ${log.seq} ${table.own.count} ${table.own.digest}`
    if (has !== wanted) judge.breach(`${member.host} has ${has} of ${other.host}, which has ${wanted}`)
  }
}

/** Who should have a name has it, and nobody else. */
function judgeOwn(judge: Judge, member: Member): void {
  const { table } = member.table.replica
  const rows: string[] = []
  for (const slot of table.rowsOfCopy(table.own)) {
    const pid = member.table.pidOf(slot)
    rows.push(`${table.rows.keyOf(slot)} ${pid}`)
    if (!member.node.isProcessAlive(pid)) judge.breach(`${pid} is dead, and has ${table.rows.keyOf(slot)}`)
  }
  const wanted = [...member.claims].flatMap(([key, pids]) => pids.map((pid) => `${key} ${pid}`))
  if (rows.sort().join() !== wanted.sort().join())
    judge.breach(
      `${member.host} has ${differenceOf(rows, wanted)}, and should have ${differenceOf(wanted, rows)} instead`,
    )
}

function judgeProcs(judge: Judge, member: Member, { loser }: Plan): void {
  for (const { text, isAlive, lost, told } of member.procs.values()) {
    if (!isAlive || lost.size === 0) continue
    if (loser === 'exit') judge.breach(`${text} has lost ${[...lost].join()}, and lives`)
    for (const name of lost) if (!told.has(name)) judge.breach(`${text} has lost ${name}, and was not told`)
  }
}

function pictureOf(member: Member): string[] {
  const { table } = member.table.replica
  const rows: string[] = []
  for (const key of table.keys()) {
    const slots = member.isNames ? [table.visible(key)].filter((slot) => slot !== NONE) : table.membersOf(key)
    for (const slot of slots)
      rows.push(
        `${key} ${member.table.pidOf(slot)} ${table.rows.epochOf(slot)} ${JSON.stringify(table.rows.metaOf(slot))}`,
      )
  }
  return rows.sort()
}

function countOn(member: Member, other: Member): number {
  if (member.names !== undefined) return member.names.countOn(other.node.name)
  const { table, views } = member.table.replica
  const copy = other === member ? table.own : views.get(other.node.name)?.copy
  return copy === undefined ? 0 : table.countOfCopy(copy)
}

/** What is in the one and not in the other. */
function differenceOf(one: readonly string[], other: readonly string[]): string {
  return one.filter((row) => !other.includes(row)).join(', ') || 'nothing more'
}
