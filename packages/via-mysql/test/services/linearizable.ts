/**
 * Whether calls on one name that overlap can be put in an order, each at a moment between its begin and its end, in which a name that one owner has at a
 * time would have answered the same (Wing and Gong 1993). If they can, at most one owner is ever told that the name is its own.
 */

export type Outcome =
  | { readonly op: 'put'; readonly isOurs: boolean }
  | { readonly op: 'take'; readonly epoch: number; readonly former: string | undefined }
  | { readonly op: 'release' }
  | { readonly op: 'find'; readonly found: string | undefined }

export type Call = Outcome & {
  readonly name: string
  readonly owner: string
  readonly value: string
  readonly begunAt: number
  readonly endedAt: number
}

interface State {
  readonly holder: { readonly owner: string; readonly value: string } | undefined
  readonly epoch: number
}

export function isLinearizable(calls: readonly Call[]): boolean {
  const hopeless = new Set<string>()
  const goesOn = (done: ReadonlySet<Call>, state: State): boolean => {
    if (done.size === calls.length) return true
    const open = calls.filter((call) => !done.has(call))
    const key = `${open.map((call) => calls.indexOf(call)).join()} ${state.holder?.value} ${state.epoch}`
    if (hopeless.has(key)) return false
    const soonestEnd = Math.min(...open.map(({ endedAt }) => endedAt))
    for (const call of open) {
      // Somebody else has ended before this one began.
      if (call.begunAt > soonestEnd) continue
      const next = after(call, state)
      if (next !== undefined && goesOn(new Set([...done, call]), next)) return true
    }
    hopeless.add(key)
    return false
  }
  return goesOn(new Set(), { holder: undefined, epoch: 0 })
}

/** What is then, if the call has answered what it must; otherwise `undefined`. */
function after(call: Call, state: State): State | undefined {
  const { holder } = state
  const isOurs = holder === undefined || holder.owner === call.owner
  const ours = { owner: call.owner, value: call.value }
  switch (call.op) {
    case 'put':
      if (call.isOurs !== isOurs) return undefined
      return isOurs ? { ...state, holder: ours } : state
    case 'take':
      if (call.epoch <= state.epoch || call.former !== (isOurs ? undefined : holder.value)) return undefined
      return { holder: ours, epoch: call.epoch }
    case 'release':
      return holder?.owner === call.owner ? { ...state, holder: undefined } : state
    case 'find':
      return call.found === holder?.value ? state : undefined
  }
}
