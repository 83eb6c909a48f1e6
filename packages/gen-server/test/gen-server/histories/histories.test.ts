/**
 * PURPOSE    What a server does with what it is sent and with what its callbacks return: random histories, judged by OTP's gen_server itself (server_player.erl).
 * INVARIANTS The same callbacks run, in the same order; the same requests have the same responses; it ends at the same place, with the same reason, for who waits for a
 *            response, watches it, is its parent.
 *
 * `PIDMESH_HISTORIES=20000` plays more of them, `PIDMESH_SEED=7` others. A failure prints the shortest history that was found, and how to replay it.
 */
import { expectAlikeOnBeam } from '../../beam/alike.ts'
import { histories } from './history.ts'
import { playHere } from './ours.ts'

expectAlikeOnBeam('a server', {
  player: new URL('server_player.erl', import.meta.url),
  playHere,
  drawn: histories,
  runs: 1_500,
  reached: [
    /^started/,
    /^ignored/,
    /^failed/,
    /idle/,
    /continue/,
    /exit/,
    /= value/,
    /= early/,
    /= late/,
    /= \d/,
    /!/,
    /down/,
    /parent: gone/,
  ],
})
