// The code, broken on purpose: what scripts/mutants.mjs breaks, and the simulation must notice. Each patch replaces a text that stands in its file exactly once.
// Whoever changes that text finds its mutant here, and says what the same mistake would be now.

/**
 * @typedef {object} Patch
 * @property {string} file below the sources of the suite
 * @property {string} find
 * @property {string} replace
 */

/** @typedef {'nodes' | 'supervision' | 'tables' | 'sessions'} Suite Which histories must notice: those of whole clusters, of supervisors, of replicated tables, or of sessions and their clients */

/** @typedef {{ name: string, suite: Suite, patches: Patch[] }} Mutant */

/**
 * @param {string} name what is broken
 * @param {string} file
 * @param {string} find
 * @param {string} replace
 * @returns {Mutant}
 */
const one = (name, file, find, replace) => ({ name, suite: 'nodes', patches: [{ file, find, replace }] })

/**
 * @param {string} name what is broken
 * @param {string} file
 * @param {string} find
 * @param {string} replace
 * @returns {Mutant}
 */
const supervision = (name, file, find, replace) => ({
  name,
  suite: 'supervision',
  patches: [{ file: `supervisor/${file}`, find, replace }],
})

/**
 * @param {string} name what is broken
 * @param {string} file
 * @param {string} find
 * @param {string} replace
 * @returns {Mutant}
 */
const tables = (name, file, find, replace) => ({ name, suite: 'tables', patches: [{ file, find, replace }] })

/**
 * @param {string} name what is broken
 * @param {string} file
 * @param {string} find
 * @param {string} replace
 * @returns {Mutant}
 */
const sessions = (name, file, find, replace) => ({ name, suite: 'sessions', patches: [{ file, find, replace }] })

/** @type {Mutant[]} */
export const mutants = [
  // The end of a connection
  one(
    'DOWN with noconnection comes after nodedown',
    'node/node.ts',
    `    this.kernel.monitors.connectionLost(peer)
    this.kernel.nodeMonitors.nodeDown(peer.identity.name, nodeTypeOf(peer), reason)`,
    `    this.kernel.nodeMonitors.nodeDown(peer.identity.name, nodeTypeOf(peer), reason)
    this.kernel.monitors.connectionLost(peer)`,
  ),
  one('links are not told that the connection is lost', 'node/node.ts', 'this.kernel.links.connectionLost(peer)', ''),
  one(
    'monitors are not told that the connection is lost',
    'node/node.ts',
    'this.kernel.monitors.connectionLost(peer)',
    '',
  ),
  one(
    'nodeup comes after the first signals',
    'node/node.ts',
    'onUp: (peer) => this.kernel.nodeMonitors.nodeUp(peer.identity.name, nodeTypeOf(peer)),',
    'onUp: (peer) => void clock.setTimer(1, () => this.kernel.nodeMonitors.nodeUp(peer.identity.name, nodeTypeOf(peer))),',
  ),
  {
    name: 'what comes on a connection that was closed is still taken',
    suite: 'nodes',
    patches: [
      {
        file: 'distribution/connection.ts',
        find: 'onFrame(bytes: Uint8Array): void {\n    if (this.closed) return',
        replace: 'onFrame(bytes: Uint8Array): void {',
      },
      {
        file: 'distribution/peer.ts',
        find: 'onFrame(frame: Frame): void {\n    if (!this.up) return',
        replace: 'onFrame(frame: Frame): void {',
      },
      {
        file: 'distribution/peer.ts',
        find: 'const signal = this.up ? this.intake.next() : undefined',
        replace: 'const signal = this.intake.next()',
      },
      {
        file: 'transport/memory-link.ts',
        find: 'if (this.other === undefined || this.other.over) return\n',
        replace: '',
      },
      {
        file: 'transport/memory-link.ts',
        find: 'this.other.events?.onFrame(frame)',
        replace: 'this.other?.events?.onFrame(frame)',
      },
    ],
  },
  one(
    'who waits for room on a connection is not told that it is lost',
    'distribution/sender.ts',
    "for (const { resolve } of waiting) resolve('noconnection')",
    '',
  ),
  one('a goodbye is not heeded', 'distribution/peer.ts', 'this.endedByPeer(message.reason)\n        return', 'return'),

  // Lives of a node
  one(
    'a signal to a process of an earlier life goes to its node as it is now',
    'node/router.ts',
    'return remote !== undefined && sameIdentity(remote.identity, pid.origin) ? remote : undefined',
    'return remote',
  ),
  one(
    'a message to an alias of an earlier life goes to its node as it is now',
    'node/router.ts',
    "if (!sameIdentity(remote.identity, to.origin)) return 'ok'",
    '',
  ),
  one(
    'a pid of an earlier life of this node is taken for one of this life',
    'node/router.ts',
    'return sameIdentity(pid.origin, this.kernel.identity)',
    'return pid.node === this.kernel.identity.name',
  ),
  one(
    'the incarnation is the time and nothing else',
    'node/node.ts',
    ' + Math.floor(random.fraction() * 2 ** 17) + 1',
    ' + 1',
  ),

  // What arrives
  one(
    'the next piece is not taken in',
    'distribution/peer.ts',
    'this.intake.beginPiece()\n      this.takePiece()',
    'this.intake.beginPiece()',
  ),

  // Who may connect
  one(
    'of two dials at the same time each side takes its own for the one that wins',
    'distribution/peers.ts',
    'this.options.self.name > peer.name &&',
    '',
  ),
  one('two dials at the same time are both let in', 'distribution/peers.ts', "return 'simultaneous'", "return 'admit'"),
  one(
    'a dialer does not ask whether it is connected meanwhile',
    'distribution/handshake.ts',
    "if (verdict !== 'prove') return refuse(verdict, challenge.node)",
    '',
  ),
  one(
    'a second connection takes the place of one that is heard',
    'distribution/peers.ts',
    'if (refusal !== undefined) return refusal',
    '',
  ),
  one(
    'the connection that is replaced is not taken down',
    'distribution/peers.ts',
    "this.byName.get(peer.name)?.down('connection_closed')",
    '',
  ),
  one(
    'a handshake has all the time in the world',
    'distribution/connection.ts',
    "this.fail({ type: 'handshake_timeout' })",
    'undefined',
  ),
  one(
    'a lost node is not dialed again',
    'distribution/peers.ts',
    "else if (!this.stopped) this.dialer.onDown(peer.identity.name, reason === 'shutdown')",
    '',
  ),
  one(
    'a dial that has failed is not tried again',
    'distribution/dialer.ts',
    'if (!this.book.forgetUnwanted(target) && this.book.isDialedUnasked(target)) this.retry(target)',
    'this.book.forgetUnwanted(target)',
  ),
  one(
    'a node that was disconnected on purpose is dialed again',
    'distribution/peers.ts',
    "if (reason === 'disconnect') this.dialer.hold(peer.identity.name)\n    else if (!this.stopped)",
    'if (!this.stopped)',
  ),

  // Liveness
  one(
    'silence is not noticed',
    'distribution/liveness.ts',
    "verdict: { type: 'dead', why: 'not_heard' }",
    "verdict: { type: 'wait', sendTick }",
  ),
  {
    name: 'who was stalled himself judges at once',
    suite: 'nodes',
    patches: [
      {
        file: 'distribution/liveness.ts',
        find: 'if (!wasStalled && nowMs - state.lastHeardMs',
        replace: 'if (nowMs - state.lastHeardMs',
      },
      {
        file: 'distribution/liveness.ts',
        find: 'const graceMs = wasStalled ? Math.max(state.graceMs, latenessMs) : state.graceMs',
        replace: 'const graceMs = 0',
      },
    ],
  },
  one(
    'a tick is no sign of life',
    'distribution/liveness.ts',
    'return { ...state, lastHeardMs: nowMs, graceMs: 0, heardByPeerMs }',
    'return { ...state, heardByPeerMs }',
  ),

  // Monitors and links
  one(
    'a monitor stays after its DOWN',
    'signals/monitors.ts',
    'if (monitor !== undefined) this.fire(monitor, reason)',
    'if (monitor !== undefined) this.tell(monitor, reason)',
  ),
  one(
    'who monitors nobody is not told',
    'signals/monitors.ts',
    "remote.signal({ type: 'down', from: typeof to === 'number' ? to : 0, ref, reason: 'noproc' })",
    '',
  ),
  one(
    'a demonitor is not passed on',
    'signals/monitors.ts',
    "monitor.remote?.signal({ type: 'demonitor', from: watcher.pid.id, ref: refId })",
    'undefined',
  ),
  one(
    'who links to nobody is not told',
    'signals/links.ts',
    "remote.signal({ type: 'link_exit', from: toId, to: from.id, reason: 'noproc' })",
    '',
  ),
  one(
    'an acknowledgement counts for every unlink',
    'signals/links.ts',
    'if (remote.relations.links.get(key)?.unlinkId === id) ',
    '',
  ),
  one(
    'an unlink is not acknowledged',
    'signals/links.ts',
    "remote.signal({ type: 'unlink_ack', from: toId, to: fromId, id })",
    '',
  ),
  one(
    'an exit signal that crosses an unlink is passed on',
    'signals/links.ts',
    'if (link.unlinkId !== undefined) return\n    link.process.links = withoutItem(link.process.links, link)\n    this.passExit(link.process, link.remote, reason)',
    'link.process.links = withoutItem(link.process.links, link)\n    this.passExit(link.process, link.remote, reason)',
  ),

  // Order and bounds
  one(
    'a small signal passes the large one that its process has sent before',
    'distribution/outbox.ts',
    'this.transfers.size === 0 ? undefined : this.transfers.get(from)',
    'undefined as Transfer | undefined',
  ),
  one(
    'what waits behind a large signal is forgotten when that is sent',
    'distribution/outbox.ts',
    'this.batch.appendData(data)\n      if',
    'if',
  ),
  one(
    'all large signals go by the same number',
    'distribution/outbox.ts',
    'transfer.slot ??= this.freeSlots.pop()',
    'transfer.slot ??= 0',
  ),
  one(
    'the parts of a signal are kept when it is whole',
    'distribution/inbox.ts',
    'this.incoming.delete(transfer)',
    'this.incoming.set(transfer, incoming)',
  ),
  one(
    'what was sent is sent again',
    'distribution/sender.ts',
    '      connection.write(frame)\n    }',
    '      connection.write(frame)\n      connection.write(frame)\n    }',
  ),
  one(
    'a frame that is full is dropped',
    'distribution/sender.ts',
    'if (this.outbox.isFrameFull) this.write()',
    'if (this.outbox.isFrameFull) this.outbox.nextFrame()',
  ),
  one('nobody looks at what is buffered', 'distribution/peer.ts', "this.down('buffer_limit')", 'undefined'),

  // Supervisors
  supervision('one restart too many is allowed', 'restart-window.ts', '>= intensity', '> intensity'),
  supervision('one restart too few is allowed', 'restart-window.ts', '>= intensity', '>= intensity - 1'),
  supervision('a restart that is a period old counts no more', 'restart-window.ts', 'nowMs > (', 'nowMs >= ('),
  supervision('restarts of long ago count', 'restart-window.ts', '+ periodMs', '+ Infinity'),
  supervision('children stop in the order of their start', 'static-children.ts', '    .toReversed()\n', ''),
  supervision(
    'rest_for_one restarts the one before too',
    'static-children.ts',
    'children.slice(children.indexOf(child))',
    'children.slice(Math.max(0, children.indexOf(child) - 1))',
  ),
  supervision(
    'a transient child is always restarted',
    'effects.ts',
    "(restart === 'transient' && !isQuietReason(reason))",
    "restart === 'transient'",
  ),
  supervision(
    'a temporary child is started again with the others',
    'static-children.ts',
    "affected.filter(({ spec }) => spec.restart !== 'temporary')",
    'affected.filter(() => true)',
  ),
  supervision(
    'a child that could not be restarted is not tried again',
    'static-children.ts',
    "child.status === 'restarting' ? this.restart(child, nowMs) : []",
    '[]',
  ),
  supervision(
    'a retry counts as no restart',
    'static-children.ts',
    "child.status === 'restarting' ? this.restart(child, nowMs) : []",
    "child.status === 'restarting' ? [{ type: 'start', child }] : []",
  ),
  supervision(
    'a child that fails to start leaves the others of its supervisor',
    'static-children.ts',
    "[told, ...stopsOf(this.children), { type: 'end', reason: end }]",
    "[told, { type: 'end', reason: end }]",
  ),
  supervision(
    'what comes after a failed start is started all the same',
    'shell.ts',
    'return this.execute(this.core.onStartFailed(child, outcome.reason))',
    'await this.execute(this.core.onStartFailed(child, outcome.reason))\n            break',
  ),
  supervision(
    'the end of a child is not waited for',
    'shell.ts',
    'const reason = await stopProcess(this.self, pid, spec.shutdown)',
    "void stopProcess(this.self, pid, spec.shutdown).catch(() => undefined)\n    const reason = 'shutdown'",
  ),
  supervision(
    'who does not stop in time is not killed',
    'shell.ts',
    'const ended = self.awaitDown(pid, shutdown)',
    'const ended = self.awaitDown(pid, Infinity)',
  ),
  supervision(
    'dynamic children stop one after the other',
    'shell.ts',
    '      ends.push(end)\n',
    '      ends.push(end)\n      await end\n',
  ),
  supervision('a supervisor does not trap exits', 'options.ts', 'trapExit: true', 'trapExit: false'),
  supervision(
    'a supervisor that gives up leaves its children',
    'supervisor-server.ts',
    'await this.#service?.terminate()',
    'await undefined',
  ),
  supervision(
    'any significant child counts for all',
    'effects.ts',
    "autoShutdown === 'any_significant' || !others()",
    "autoShutdown === 'any_significant' || others()",
  ),
  supervision(
    'the old pid of a child is still its own',
    'static-children.ts',
    'if (child.pid !== undefined) this.byPid.delete(child.pid.toString())',
    '',
  ),
  supervision(
    'a dynamic child that ended stays',
    'dynamic-children.ts',
    'if (child.pid !== undefined) this.byPid.delete(child.pid.toString())',
    '',
  ),
  supervision(
    'a child that is terminated is tried again',
    'static-children.ts',
    "    if (child.pid !== undefined) return [{ type: 'stop', child }]\n    child.status = 'stopped'",
    "    if (child.pid !== undefined) return [{ type: 'stop', child }]",
  ),

  // Views
  tables(
    'a snapshot is merged into what was there',
    'engine/view.ts',
    '    if (this.copy === undefined) this.components.table.show(shadow.copy)\n',
    '    for (const slot of this.copy === undefined ? [] : [...this.components.table.rowsOfCopy(this.copy)]) {\n' +
      '      const { key, id, epoch, meta } = this.components.table.claimOf(slot)\n' +
      '      if (this.components.table.find(shadow.copy, key) === NONE)\n' +
      '        this.components.table.put(shadow.copy, { key, id, epoch, meta, metaHash: 0 })\n' +
      '    }\n    if (this.copy === undefined) this.components.table.show(shadow.copy)\n',
  ),
  tables(
    'the old copy stays beside the new one',
    'engine/view.ts',
    '      this.components.table.replace(this.copy, shadow.copy)\n',
    '      this.components.table.show(shadow.copy)\n',
  ),
  {
    name: 'a snapshot goes on in the shadow of an earlier one, and its sums are not compared',
    suite: 'tables',
    patches: [
      {
        file: 'engine/view.ts',
        find: '    this.dropShadow()\n    this.going = ',
        replace: '    this.going = ',
      },
      {
        file: 'engine/view.ts',
        find: 'this.shadow = { id, life, seq, copy: this.components.table.addCopy(this.owner) }',
        replace:
          'this.shadow = { id, life, seq, copy: this.shadow?.copy ?? this.components.table.addCopy(this.owner) }',
      },
      {
        file: 'engine/view.ts',
        find: 'if (shadow.seq !== seq || shadow.copy.count !== count || shadow.copy.digest !== digest) {',
        replace: 'if (shadow.seq < 0 || count < 0 || digest < 0) {',
      },
    ],
  },
  tables(
    'a gap in the deltas is not noticed',
    'engine/view.ts',
    'if (life !== at.life || first > at.seq + 1) return this.lost()',
    'if (life !== at.life) return this.lost()',
  ),
  tables(
    'a delta is applied to the old copy while a new one is filled',
    'engine/view.ts',
    'const copy = shadow?.copy ?? this.copy\n',
    'const copy = this.copy ?? shadow?.copy\n',
  ),
  tables(
    'a tick is not compared by its number',
    'engine/view.ts',
    'if (life !== this.life || seq !== this.seq) return this.lost()',
    'if (life !== this.life) return this.lost()\n    if (seq !== this.seq) return NOTHING',
  ),
  tables(
    'a tick is not compared by its sums',
    'engine/view.ts',
    'if (count === this.copy?.count && digest === this.copy.digest) return NOTHING',
    'if (count >= 0 || digest >= 0) return NOTHING',
  ),
  tables('a copy whose sums are wrong is resumed', 'engine/view.ts', '    this.isWrong = true\n', ''),
  tables(
    'what is hidden is shown as soon as its server says hello',
    'engine/view.ts',
    '    this.server = server\n  }',
    "    this.server = server\n    if (this.copy !== undefined) this.components.table.show(this.copy)\n    if (this.copy !== undefined) this.state = 'live'\n  }",
  ),
  tables(
    'what is hidden stays so though it is resumed',
    'engine/view.ts',
    '    this.components.table.show(this.copy)\n    this.state',
    '    this.state',
  ),
  tables('a node that is gone is still seen', 'engine/view.ts', '    this.components.table.hide(this.copy)\n', ''),
  tables(
    'what was to be filled goes on after its connection',
    'engine/view.ts',
    '    this.server = undefined\n    this.dropShadow()\n    if',
    '    this.server = undefined\n    if',
  ),
  // Feeds and logs
  {
    name: 'one who was away is sent what is left in the ring',
    suite: 'tables',
    patches: [
      {
        file: 'engine/feed.ts',
        find: 'knows.life !== log.life || !log.covers(knows.seq)) return this.beginSnapshot()',
        replace: 'knows.life !== log.life) return this.beginSnapshot()',
      },
      { file: 'engine/feed.ts', find: '    if (!log.covers(this.sent)) return this.beginSnapshot()\n', replace: '' },
    ],
  },
  tables(
    'one who is behind what the ring has is sent what is left',
    'engine/feed.ts',
    '    if (!log.covers(this.sent)) return this.beginSnapshot()\n',
    '',
  ),
  tables('the ring says that it has one more than it has', 'engine/log.ts', 'seq >= first - 1', 'seq >= first - 2'),
  tables(
    'a log of an earlier life is resumed',
    'engine/feed.ts',
    'knows.life !== log.life || !log.covers',
    '!log.covers',
  ),
  tables(
    'no deltas go out until a snapshot is whole',
    'engine/feed.ts',
    '    if (batch !== undefined) {',
    '    if (batch !== undefined && this.snapshot === undefined) {',
  ),
  tables('the ring is never trimmed', 'engine/log.ts', '    this.trim(nowMs)\n', ''),
  // Replicas
  tables(
    'what a node had in its earlier life is its own in the next',
    'engine/replica.ts',
    'if (known !== undefined && known.owner.incarnation === owner.incarnation) return known',
    'if (known !== undefined) return known',
  ),
  tables('an earlier life of a node is forgotten, and its copy stays', 'engine/replica.ts', '    known?.drop()\n', ''),
  tables(
    'a node that is gone is told on, and its feed stays',
    'engine/replica.ts',
    '    this.feeds.get(node)?.end()\n    this.feeds.delete(node)\n',
    '',
  ),
  tables(
    'the copies of others stay when the table server ends',
    'engine/replica.ts',
    '    for (const node of [...this.views.keys()]) this.gone(node)',
    '',
  ),
  tables(
    'an epoch is not larger than those that were seen',
    'engine/replica.ts',
    'const epoch = table.epoch + 1',
    'const epoch = 1',
  ),
  tables(
    'the end of a process is not noticed',
    'engine/replicated-table.ts',
    '    if (this.replica.release(pid.id)) this.changed()\n',
    '',
  ),
  tables(
    'the end of a process is not sent',
    'engine/replica.ts',
    '    for (const slot of slots) this.remove(slot)\n',
    '    for (const slot of slots) this.table.removeRow(this.table.own, slot)\n',
  ),
  // The server
  tables(
    'what a lost connection has brought is taken',
    'engine/table-server.ts',
    '    if (this.#served.isOver(origin)) return\n',
    '',
  ),
  tables(
    'a server that has just started says hello to nobody',
    'engine/table-server.ts',
    "    for (const node of table.nodes()) this.#sayHello(node, 'is new')\n",
    '',
  ),
  tables(
    'a hello of one who knows nobody is not answered',
    'engine/table-server.ts',
    "    if (hello.isNew) this.#sayHello(origin.name, 'greets')\n    this.requestFlush()\n",
    '    this.requestFlush()\n',
  ),
  tables(
    'nobody says hello to a node that is up',
    'engine/table-server.ts',
    "if (isNodeName(node)) this.#sayHello(node, 'greets')",
    'if (isNodeName(node)) return',
  ),
  tables(
    'who was refused is not asked again',
    'engine/table-server.ts',
    "this.#timers.arm({ type: 'ask', node }, REFUSED_MS)",
    '',
  ),
  tables(
    'who misses something does not ask for it',
    'engine/table-server.ts',
    "      case 'ask':\n        this.#sayHello(node, 'lacks something')\n",
    "      case 'ask':\n",
  ),
  tables('no tick is sent', 'engine/table-server.ts', 'if (tick !== undefined) this.self.send(feed.server, tick)', ''),
  tables(
    'who waits for a connection to drain waits for ever',
    'engine/table-server.ts',
    '        feed.isWaiting = false\n',
    '',
  ),
  // The table
  tables('who has lost a name is not told', 'global-ets.ts', '    this.endLoser(name, pid, winnerPid)\n', ''),
  tables(
    'who has lost a name keeps its claim',
    'global-ets.ts',
    '    this.table.remove(loser)\n    this.endLoser',
    '    this.endLoser',
  ),
  tables(
    'a clash is not looked for',
    'engine/table.ts',
    'if (one !== seen && rows.copyOf(one) === this.own.number) this.suspects.add(rows.keyOf(one))',
    '',
  ),
  tables(
    'a claim is given up though it is the first',
    'engine/table.ts',
    'if (loser !== NONE && winner !== loser) return { loser, winner }',
    'if (loser !== NONE) return { loser, winner }',
  ),
  tables(
    'who has lost and traps exits is not killed',
    'engine/replicated-table.ts',
    'node.clock.setTimer(LOSER_GRACE_MS, () => this.killLoser(pid))',
    'node.clock.setTimer(LOSER_GRACE_MS, () => undefined)',
  ),
  tables(
    'of two claims the one that came first is seen',
    'engine/table.ts',
    'if (seen === NONE || this.options.compare(this.claimOf(slot), this.claimOf(seen)) < 0) seen = slot',
    'seen = slot',
  ),
  tables(
    'what was told of a name is not taken back when another is seen',
    'engine/table.ts',
    '      if (rows.isTold(one)) told = one\n',
    '',
  ),
  tables('rows that are hidden are seen', 'engine/table.ts', '      if (!this.copyOf(slot).isVisible) continue\n', ''),
  tables('who watches is told twice', 'engine/watches.ts', '      watcher.pending = []\n', ''),
  tables(
    'who watches is not told of what is put in the place of another',
    'engine/table.ts',
    '    if (told !== NONE) watcher.left(told)\n    if (seen !== NONE) watcher.joined(seen)',
    '    if (told !== NONE) watcher.left(told)\n    else if (seen !== NONE) watcher.joined(seen)',
  ),
  tables(
    'a walk is led astray by a row that goes',
    'engine/row-lists.ts',
    "    for (const cursor of copy.cursors) if (cursor.slot === slot) cursor.slot = rows.next('copy', slot)\n",
    '',
  ),
  tables(
    'names that several have are counted for each',
    'engine/table.ts',
    'this.setBehind(one, one !== seen && this.copyOf(one).isVisible)',
    'this.setBehind(one, false)',
  ),
  sessions(
    'what was missed is not sent again',
    'session-client.ts',
    '    for (const frame of missed) connection.writeMessage(frame)\n',
    '',
  ),
  sessions(
    'what was acknowledged is sent again',
    'replay-ring.ts',
    'this.frames?.slice(-missed)',
    'this.frames?.slice(-missed - 1)',
  ),
  sessions(
    'what comes to a session that is just being moved is lost',
    'session-departure.ts',
    'return this.held.push(message) <= MAX_HELD',
    'return true',
  ),
  sessions(
    'what was held is not forwarded',
    'session-departure.ts',
    '    for (const message of this.takeBack()) this.forward(to, message)\n',
    '',
  ),
  sessions(
    'what was held is not handled when the move is called off',
    'session-departure.ts',
    'this.seat.self.demonitor(this.monitor, { flush: true })\n    return this.takeBack()',
    'this.seat.self.demonitor(this.monitor, { flush: true })\n    return []',
  ),
  sessions(
    'what comes after a move is not forwarded',
    'session-departure.ts',
    '    this.forward(this.to, message)\n    return true',
    '    return true',
  ),
  sessions(
    'a session is given to two that claim it',
    'session-state.ts',
    "    if (this.phase === 'moving') return { type: 'busy' }\n",
    '',
  ),
  sessions(
    'a session does not look for where it has moved on to',
    'session-move.ts',
    "answer.type === 'moved' && hop < MAX_HOPS",
    "answer.type === 'moved' && hop < 0",
  ),
  sessions(
    'a former process ends at once',
    'session-move.ts',
    'export const FORWARD_MS = 4_000',
    'export const FORWARD_MS = 1',
  ),
  sessions(
    'the names stay with the former process',
    'session-server.ts',
    'const lost = snapshot.names.length > 0 ?',
    'const lost = snapshot.names.length < 0 ?',
  ),
  sessions(
    'a move is not called off when its claimer ends',
    'session-server.ts',
    "return departure.to === undefined ? this.#callOff(departure) : this.stop({ shutdown: 'moved' })",
    'return undefined',
  ),
  sessions(
    'a session is taken for a client that has gone',
    'session-move.ts',
    "  if (!isWanted()) return { type: 'busy' }\n",
    '',
  ),
  sessions(
    'a token is good until the next one is told, though that may be lost',
    'session-state.ts',
    'this.good = [...kept, nonce]',
    'this.good = [nonce]',
  ),
  sessions(
    'a session does not wait for its client',
    'session-server.ts',
    'return this.#client.mayReturn(code) ?',
    'return code < 0 ?',
  ),
  sessions(
    'a gap is not told',
    'replay-ring.ts',
    'if (missed > this.size) return undefined',
    'if (missed > this.size) return (this.frames?.slice(this.head) ?? []) as Buffer[]',
  ),
]
