// Loaded before a program: as soon as it listens for SIGTERM it gets one. Says whether it had gRPC by then, which takes the longest to load.

import { createRequire } from 'node:module'

const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('@grpc/grpc-js'))

process.on('newListener', function end(/** @type {string} */ event) {
  if (event !== 'SIGTERM') return
  process.off('newListener', end)
  process.stderr.write(loaded() ? 'gRPC is loaded\n' : 'gRPC is not loaded yet\n')
  // The listener is only about to be added.
  setImmediate(() => process.kill(process.pid, 'SIGTERM'))
})
