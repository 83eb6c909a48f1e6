/**
 * A row is a hash under a key of its own: owner, value, epoch, and until when it holds, in ms of Redis' own clock. A script looks at a row and writes it, in one step; one row after the other.
 *
 * - Redis removes a row whose time is over, sooner or later. Until then, the time in it says that it is none: also where nobody removes it.
 * - A field that somebody else has written, and that can't be, is as if it were not there.
 * - Each reply begins with the time of Redis: by that a node says until when what it wants written may be. What comes later, since it was on its way for so long, finds nobody who waits for it: it is not written.
 * - An epoch is the time at which the name was taken, in ms, or one more than the last one: so it grows also when Redis has lost the row in between.
 */
import { createHash } from 'node:crypto'

export interface Script {
  readonly text: string
  readonly sha: string
  /** Its last argument is the time, of Redis, from which on it is too late: nothing is done then. */
  readonly canBeLate: boolean
}

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

const READ = `
local row = redis.call('HMGET', key, 'owner', 'value', 'epoch', 'until')
local ends = tonumber(row[4] or 0)
local holds = row[1] and row[2] and ends and now < ends
local known = tonumber(row[3] or 0)
if not (known and known >= 0 and known < ${Number.MAX_SAFE_INTEGER}) then known = 0 end
`

const LATE = `
if now >= tonumber(ARGV[#ARGV]) then return {now} end
`

/** What is to be written: three arguments for each row. */
const GIVEN = `
local owner, value, ttl = ARGV[3 * at - 2], ARGV[3 * at - 1], ARGV[3 * at]
`

const WRITE = `
ends = now + ttl
redis.call('HSET', key, 'owner', owner, 'value', value, 'epoch', string.format('%.0f', epoch), 'until', string.format('%.0f', ends))
redis.call('PEXPIREAT', key, string.format('%.0f', ends))
`

const NEXT_EPOCH = 'math.max(now, known + 1)'

/** ARGV: owner, value, ttl in ms; and behind those of all rows until when. 1, or 0 if it is another's. */
export const PUT: Script = inTime(`${READ}${GIVEN}
if holds and row[1] ~= owner then
  replies[at] = 0
else
  local epoch = holds and known > 0 and known or ${NEXT_EPOCH}
  ${WRITE}
  replies[at] = 1
end
`)

/** ARGV: as of PUT. The epoch, and the value of another owner who had it. */
export const TAKE: Script = inTime(`${READ}${GIVEN}
local epoch = ${NEXT_EPOCH}
local former = holds and row[1] ~= owner and row[2]
${WRITE}
replies[at] = {epoch, former}
`)

/** ARGV: owner. */
export const RELEASE: Script = ofEach(`
if redis.call('HGET', key, 'owner') == ARGV[at] then redis.call('DEL', key) end
replies[at] = 1
`)

/** The value. */
export const FIND: Script = ofEach(`${READ}
replies[at] = holds and row[2] or false
`)

/** What is done with each row, one after the other; the reply is the time, and a list. What fails for one row fails for all that come behind it. */
function ofEach(row: string): Script {
  return script(`${NOW}${all(row)}`, false)
}

/** The same, unless it is too late: then the reply is the time. */
function inTime(row: string): Script {
  return script(`${NOW}${LATE}${all(row)}`, true)
}

function all(row: string): string {
  return `
local replies = {}
for at, key in ipairs(KEYS) do
${row}
end
return {now, replies}
`
}

function script(text: string, canBeLate: boolean): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex'), canBeLate }
}
