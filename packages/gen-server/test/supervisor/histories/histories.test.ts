/**
 * PURPOSE    What a supervisor does with the ends of its children and with what it is asked, static or simple_one_for_one: random histories, judged by OTP's supervisor itself
 *            (supervisor_player.erl). What a model judges, with trees of them and times, is in test/histories.
 * INVARIANTS The same children are started and stopped, in the same order; it answers the same; afterwards it has the same children, in the same order; it ends at the same place,
 *            with the same reason.
 *
 * `PIDMESH_HISTORIES=20000` plays more of them, `PIDMESH_SEED=7` others. A failure prints the shortest history that was found, and how to replay it.
 */
import { expectAlikeOnBeam } from '../../beam/alike.ts'
import { histories } from './history.ts'
import { playHere } from './ours.ts'

expectAlikeOnBeam('a supervisor', {
  player: new URL('supervisor_player.erl', import.meta.url),
  playHere,
  drawn: histories,
  runs: 2_000,
  reached: [
    /^start; .*failed/,
    /^ends: .*obeys/,
    /fails; . fails/,
    /ignored/,
    /^start: ok/,
    /^start: there/,
    /already_started/,
    /already_present/,
    /start_failed/,
    /running/,
    /not_found/,
    /simple_one_for_one/,
    /^restart: ok/,
    /^delete: ok/,
    /^ends: .*ended/,
  ],
})
