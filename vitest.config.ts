import { defaultClientConditions, defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'

// Packages are tested from their sources: `@pidmesh/source` is the first condition in their package.json `exports`.
const source = '@pidmesh/source'

/** They look at what the whole process has, or at how V8 has compiled for it: each has one of its own. */
const ofTheProcess = [
  // Sockets and timers that are open.
  'packages/runtime/test/transport/sockets/grace.test.ts',
  'packages/ws-gateway/test/abuse/going-wrong.test.ts',
  // The heap.
  'packages/global-ets/test/memory.test.ts',
  'packages/ws-gateway/test/codec/msgpack.test.ts',
  'test/cluster/soak.test.ts',
  // How fast a million messages are worked off.
  'packages/runtime/test/process/fairness.test.ts',
  // The forms of numbers.
  'packages/runtime/test/wire/small-integers.test.ts',
]

/** Seeded histories, thousands of them: where other files have run before them, V8 takes two to four times as long. */
const histories = '{packages,apps}/*/test/**/{simulation,histories}/*.test.ts'

/** They take all of a machine, or say how soon something comes. */
const alone = 'test/cluster/{browser,browser-session,gateway-chaos,gateway-churn,stalls-and-refusals}.test.ts'

export default defineConfig({
  resolve: { conditions: [source, ...defaultClientConditions] },
  ssr: { resolve: { conditions: [source, ...defaultServerConditions] } },
  test: {
    reporters: ['default', ['json', { outputFile: 'reports/vitest.json' }]],
    passWithNoTests: false,
    // One more than the cores of a small machine: many tests wait, for what silence or a server does after seconds.
    maxWorkers: 3,
    // A hung test is told late; a machine that is busy with something else fails none.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is waited for comes when it comes, also on a machine that is busy with something else.
    expect: { poll: { timeout: 15_000, interval: 20 } },
    // fast-check: the same cases in every run, and others with PIDMESH_SEED.
    setupFiles: ['./test/seed.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            '{packages,apps}/*/test/**/*.test.ts',
            'bench/test/**/*.test.ts',
            'docs/examples/test/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**', '{packages,apps}/*/test/services/**', histories, ...ofTheProcess],
          // A worker loads modules once, not for each file: they have no state. It saves a third of the time.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          include: ofTheProcess,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // They come before `unit`, as projects of a group follow their names: what takes longest is not left for the end, when a worker has nothing else.
        extends: true,
        test: {
          name: 'simulation',
          include: [histories],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'static',
          include: ['test/static/**/*.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // With real stores and brokers, which the tests start.
        extends: true,
        test: {
          name: 'services',
          include: ['{packages,apps}/*/test/services/**/*.test.ts'],
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Real nodes over each transport. They wait for each other's silence for most of their time.
        extends: true,
        test: {
          name: 'distribution',
          include: ['test/cluster/distribution/*.test.ts'],
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Nodes that are processes of the system. Beside those of `distribution`, which take longer.
        extends: true,
        test: {
          name: 'nodes',
          include: ['test/cluster/*.test.ts'],
          exclude: ['**/node_modules/**', alone, ...ofTheProcess],
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Browsers, load, and faults: one file at a time, and nothing else beside it.
        extends: true,
        test: {
          name: 'cluster',
          include: [alone],
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
