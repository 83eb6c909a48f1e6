import { describe, expect, it } from 'vitest'

import { parseClusterOptions } from '../src/cluster-options.ts'
import { OptionError } from '../src/option-error.ts'

const parse = (line: string) => parseClusterOptions(line.split(' ').filter(Boolean))

describe('the command line of the demo', () => {
  it('has defaults for everything', () => {
    expect(parse('')).toEqual({ do: 'start', options: { nodes: 3, firstPort: 8081, firstMeshPort: 7001 } })
  })

  it('takes the number of nodes and the ports, also after the dashes that a package manager hands on', () => {
    const command = { do: 'start', options: { nodes: 5, firstPort: 0, firstMeshPort: 9000 } }
    expect(parse('--nodes 5 --port 0 --mesh-port 9000')).toEqual(command)
    expect(parse('-- --nodes=5 --port=0 --mesh-port=9000')).toEqual(command)
  })

  it('can be asked for help', () => {
    expect(parse('--help')).toEqual({ do: 'help' })
  })

  it.each([
    ['--nodes 0', '--nodes takes a whole number from 1 to 9, not "0"'],
    ['--nodes 10', '--nodes takes a whole number from 1 to 9, not "10"'],
    ['--nodes 1e0', '--nodes takes a whole number from 1 to 9, not "1e0"'],
    ['--nodes', '--nodes needs a value'],
    ['--nodes -1', '--nodes needs a value'],
    ['--port 65534', '--port takes a whole number from 0 to 65533, not "65534"'],
    ['--mesh-port x', '--mesh-port takes a whole number from 0 to 65533, not "x"'],
    ['--frobnicate', "unknown option '--frobnicate'"],
    ['five', "unexpected argument 'five'"],
    ['--port 7002', '--port 7002 and --mesh-port 7001 are too close together: 3 nodes would share ports'],
  ])('refuses %s with one line', (line, message) => {
    expect(() => parse(line)).toThrow(new OptionError(message))
  })
})
