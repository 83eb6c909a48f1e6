/**
 * The client side of supervisors: questions, with their arguments checked, and a specification that can't be as an error at the caller. So is an answer of
 * who is no supervisor; one that answers nothing is waited for, as any server is without a limit of time.
 */
import { hasType, isPid, PidmeshError, type Caller, type Pid } from '@pidmesh/runtime'
import { call, describe } from '../call.ts'
import type { ReplyFor } from '../protocol.ts'
import { badChildSpec } from './child-spec.ts'
import { promised } from '../unawaited.ts'
import type { AnyStartChildResult, AnySupervisorRef, SupervisorCall, UnsendableAnswer } from './protocol.ts'

/**
 * @throws PidmeshError by rejection: `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` for an answer that can't be sent from the supervisor's node; `ERR_BAD_ARGUMENT`
 * if what answers is no supervisor
 */
export function ask<const Request extends SupervisorCall>(
  caller: Caller,
  supervisor: AnySupervisorRef,
  request: Request,
): Promise<Exclude<ReplyFor<SupervisorCall, Request>, UnsendableAnswer>> {
  return promised(async () => {
    const answer = await call(caller, supervisor, request, Infinity)
    if (isUnsendable(answer)) throw new PidmeshError(answer.code, `the answer can't be sent: ${answer.problem}`)
    if (!ANSWERS[request.type](answer))
      throw new PidmeshError(
        'ERR_BAD_ARGUMENT',
        `${describe(supervisor)} is no supervisor: it has another answer to ${request.type}`,
      )
    return answer as Exclude<ReplyFor<SupervisorCall, Request>, UnsendableAnswer>
  })
}

/** @throws PidmeshError by rejection: `ERR_BAD_CHILD_SPEC` */
export async function askForChild<Answer extends AnyStartChildResult>(
  caller: Caller,
  supervisor: AnySupervisorRef,
  request: Extract<SupervisorCall, { type: 'start_child' | 'start_child_with' }>,
): Promise<Answer> {
  const result = await ask(caller, supervisor, request)
  if (result.type === 'bad_child_spec') throw badChildSpec(result.problem)
  // What the start of a child gives was checked where its specification was written, and the caller says of which kind its supervisor is.
  return result as Answer
}

const isStart = typeOf(['ok', 'already_started', 'start_failed', 'already_present', 'max_children', 'bad_child_spec'])

/** What a supervisor answers: any server, also one of another node, takes its questions for its own. */
const ANSWERS: Readonly<Record<SupervisorCall['type'], (answer: unknown) => boolean>> = {
  start_child: isStart,
  start_child_with: isStart,
  terminate_child: oneOf(['ok', 'not_found', 'simple_one_for_one']),
  restart_child: typeOf([
    'ok',
    'already_started',
    'start_failed',
    'not_found',
    'running',
    'restarting',
    'simple_one_for_one',
  ]),
  delete_child: oneOf(['ok', 'not_found', 'running', 'restarting', 'simple_one_for_one']),
  get_child_spec: (answer) => answer === 'not_found' || hasField(answer, 'start'),
  which_children: (answer) => Array.isArray(answer),
  count_children: (answer) => hasField(answer, 'specs'),
}

function typeOf(types: readonly string[]): (answer: unknown) => boolean {
  return (answer) => types.some((type) => hasType(answer, type))
}

function oneOf(answers: readonly unknown[]): (answer: unknown) => boolean {
  return (answer) => answers.includes(answer)
}

function hasField(answer: unknown, field: string): boolean {
  return typeof answer === 'object' && answer !== null && field in answer
}

function isUnsendable(answer: unknown): answer is UnsendableAnswer {
  return hasType(answer, 'unsendable')
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkedId(id: string): string {
  if (typeof id === 'string') return id
  throw new PidmeshError('ERR_BAD_ARGUMENT', `the id of a child is a text, not ${typeof id}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkedPid(pid: Pid): Pid {
  if (isPid(pid)) return pid
  throw new PidmeshError('ERR_BAD_ARGUMENT', `a child is given by its pid, not by ${typeof pid}`)
}
