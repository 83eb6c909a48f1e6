import { expect, it } from 'vitest'
import { certifiedNames } from '../../../src/transport/sockets/certificates.ts'

it.each<[string, string, readonly string[]]>([
  ['one', 'URI:pidmesh://a@10.0.0.1', ['a@10.0.0.1']],
  ['several, and others between', 'URI:pidmesh://a@h, DNS:h, URI:pidmesh://b@[::1]', ['a@h', 'b@[::1]']],
  ['none', '', []],
  // As Node shows a certificate that was made so: what holds a comma it puts between quotes, and no comma stands there.
  [
    'none, but has them within other names',
    'URI:"http://x\\u002c URI:pidmesh://b@h", DNS:x URI:pidmesh://c@h, email:"x\\u002c URI:pidmesh://d@h", DirName:"O=y URI:pidmesh://e@h"',
    [],
  ],
])('a certificate is for the nodes that are its names, as a whole: here it has %s', (_what, names, nodes) => {
  expect(certifiedNames(names)).toEqual(nodes)
})
