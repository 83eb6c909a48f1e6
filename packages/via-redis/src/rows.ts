/**
 * A row is a hash under a key of its own: owner, value, epoch, and until when it holds, in ms of Redis' own clock. Each script looks at one row and writes it, in one step.
 *
 * - Redis removes a row whose time is over, sooner or later. Until then, the time in it says that it is none: also where nobody removes it.
 * - A field that somebody else has written, and that can't be, is as if it were not there.
 * - An epoch is the time at which the name was taken, in ms, or one more than the last one: so it grows also when Redis has lost the row in between.
 */
import { createHash } from 'node:crypto'

export interface Script {
  readonly text: string
  readonly sha: string
}

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

const READ = `${NOW}
local row = redis.call('HMGET', KEYS[1], 'owner', 'value', 'epoch', 'until')
local ends = tonumber(row[4] or 0)
local holds = row[1] and row[2] and ends and now < ends
local known = tonumber(row[3] or 0)
if not (known and known >= 0 and known < ${Number.MAX_SAFE_INTEGER}) then known = 0 end
`

const WRITE = `
ends = now + ARGV[3]
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'value', ARGV[2], 'epoch', string.format('%.0f', epoch), 'until', string.format('%.0f', ends))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ends))
`

const NEXT_EPOCH = 'math.max(now, known + 1)'

/** ARGV: owner, value, ttl in ms. 1, or 0 if it is another's. */
export const PUT: Script = script(`${READ}
if holds and row[1] ~= ARGV[1] then return 0 end
local epoch = holds and known > 0 and known or ${NEXT_EPOCH}
${WRITE}
return 1
`)

/** ARGV: owner, value, ttl in ms. The epoch, and the value of another owner who had it. */
export const TAKE: Script = script(`${READ}
local epoch = ${NEXT_EPOCH}
local former = holds and row[1] ~= ARGV[1] and row[2]
${WRITE}
return {epoch, former}
`)

/** ARGV: owner. */
export const RELEASE: Script = script(`
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`)

/** The value. */
export const FIND: Script = script(`${READ}
return holds and row[2]
`)

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}
