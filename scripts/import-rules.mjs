// Who may import whom: the one table. scripts/check-imports.mjs applies it. Type-only imports count as imports.
// Paths are relative to the root; one that ends in `/` stands for all below it.

/**
 * The packages that the sources of each package may import; imports go down only. A package that is not here is an error.
 * @type {Record<string, string[]>}
 */
export const layers = {
  'packages/runtime': [],
  'packages/gen-server': ['@pidmesh/runtime'],
  'packages/cli': ['@pidmesh/runtime'],
  'packages/opentelemetry': ['@pidmesh/runtime', '@pidmesh/gen-server'],
  'packages/global-ets': ['@pidmesh/runtime', '@pidmesh/gen-server'],
  'packages/ws-gateway': ['@pidmesh/runtime', '@pidmesh/gen-server'],
  'packages/client': [],
  'packages/metrics': ['@pidmesh/runtime'],
  'packages/via-kit': ['@pidmesh/runtime'],
  'packages/via-redis': ['@pidmesh/runtime', '@pidmesh/via-kit'],
  'packages/via-mysql': ['@pidmesh/runtime', '@pidmesh/via-kit'],
  'packages/via-kafka': ['@pidmesh/runtime', '@pidmesh/via-kit'],
  'packages/dev-services': [],
}

/**
 * Modules that belong to few files of the packages' sources. Tests, bench and apps are free to use what they declare.
 * @type {Record<string, string[]>}
 */
export const confined = {
  '@grpc/grpc-js': [
    'packages/runtime/src/transport/sockets/grpc.ts',
    'packages/runtime/src/transport/sockets/grpc-link.ts',
    'packages/runtime/src/transport/sockets/grpc-tls.ts',
    'packages/runtime/src/transport/sockets/grpc-stranger.ts',
  ],
  '@msgpack/msgpack': ['packages/ws-gateway/src/codec/', 'packages/client/src/msgpack.ts'],
  '@opentelemetry/api': ['packages/opentelemetry/src/'],
  'cbor-x': [],
  jose: ['packages/ws-gateway/src/jwt.ts', 'packages/ws-gateway/src/jwks.ts'],
  nact: ['packages/runtime/src/system/nact-pump.ts'],
  pino: ['packages/runtime/src/system/pino-logger.ts'],
  'prom-client': ['packages/metrics/src/'],
  protobufjs: ['packages/runtime/src/wire/'],
  selfsigned: ['packages/cli/src/certificates.ts'],
  redis: ['packages/via-redis/src/'],
  mysql2: ['packages/via-mysql/src/'],
  '@platformatic/kafka': ['packages/via-kafka/src/'],
  ws: ['packages/ws-gateway/src/'],
  '@pidmesh/runtime/testing': [],
}

/**
 * Places inside a package that only some of its files may import.
 * @type {{ place: string, importers: string[] }[]}
 */
export const insides = [
  {
    place: 'packages/runtime/src/wire/generated/',
    importers: ['packages/runtime/src/wire/', 'packages/runtime/test/wire/'],
  },
  {
    place: 'packages/runtime/src/testing/',
    importers: ['packages/runtime/src/testing/', 'packages/runtime/test/'],
  },
]

/** The core: it touches the world through its ports only. (Its globals are in .oxlintrc.json, for the same files.) */
export const core = {
  files: ['packages/runtime/src/', 'packages/gen-server/src/', 'packages/global-ets/src/'],
  except: ['packages/runtime/src/system/', 'packages/runtime/src/testing/', 'packages/runtime/src/transport/sockets/'],
  /**
   * Node's modules that it must not import, or, where names are given, of which it may import only these.
   * @type {Record<string, string[]>}
   */
  builtins: {
    child_process: [],
    cluster: [],
    console: [],
    crypto: ['createHash', 'createHmac', 'timingSafeEqual'],
    dns: [],
    'dns/promises': [],
    fs: [],
    'fs/promises': [],
    perf_hooks: [],
    process: [],
    timers: [],
    'timers/promises': [],
    worker_threads: [],
  },
}
